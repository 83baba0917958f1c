using TinyLlm.Kernels;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TinyLlm.Kernels.Tensor;
using TorchTensor = TorchSharp.torch.Tensor;

namespace TinyLlm.Bench.Ops;

/// <summary>
/// One linear layer's three products on all sides, with the same numbers. libtorch's are <c>addmm_</c> into memory that
/// is there: the same BLAS call as <c>linear</c>'s, without an allocation.
/// </summary>
internal sealed class MatMulCase : IDisposable
{
    private readonly OpsDevice device;
    private readonly int m, n, k;
    private readonly Arena arena;
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly Tensor x, weight, y, dx, dWeight;
    private readonly TorchTensor torchX, torchWeight, torchY, torchDx, torchDWeight;

    /// <summary>x is (m, k), weight (n, k), y (m, n).</summary>
    public MatMulCase(OpsDevice device, int m, int n, int k)
    {
        (this.device, this.m, this.n, this.k) = (device, m, n, k);
        arena = new Arena(device.Backend, "matmul");
        x = arena.Add("x", (m, k));
        weight = arena.Add("weight", (n, k));
        y = arena.Add("y", (m, n));
        dx = arena.Add("dx", (m, k));
        dWeight = arena.Add("dWeight", (n, k));
        arena.Allocate();
        (torchX, torchWeight) = (device.Fill(x), device.Fill(weight));
        (torchY, torchDx, torchDWeight) = (zeros(m, n), zeros(m, k), zeros(n, k));
    }

    /// <summary>
    /// Runs each product once on all sides, compares the results, and returns the products to be timed.
    /// </summary>
    /// <exception cref="InvalidOperationException">The sides disagree.</exception>
    public IEnumerable<Contest> Check()
    {
        var (backend, blas) = (device.Backend, device.OpenBlas);
        var (weightT, yT) = (torchWeight.t(), torchY.t());
        var (blasY, blasDx, blasDWeight) = (zeros(m, n), zeros(m, k), zeros(n, k));
        double flops = 2.0 * m * n * k;

        // y is the gradient of the other two: it holds numbers of the right kind once the first has run.
        yield return Check(y, torchY, blasY, new Contest("forward", flops,
            () => backend.MatMul(x, weight, null, y),
            () => torchY.addmm_(torchX, weightT, beta: 0, alpha: 1),
            () => blas!.MatMul(
                m, n, k, OpsDevice.Elements(torchX), false, OpsDevice.Elements(torchWeight), true, 0,
                OpsDevice.Elements(blasY))));
        yield return Check(dx, torchDx, blasDx, new Contest("backward input", flops,
            () => backend.MatMulBackwardInput(y, weight, dx),
            () => torchDx.addmm_(torchY, torchWeight, beta: 0, alpha: 1),
            () => blas!.MatMul(
                m, k, n, OpsDevice.Elements(torchY), false, OpsDevice.Elements(torchWeight), false, 0,
                OpsDevice.Elements(blasDx))));
        yield return Check(dWeight, torchDWeight, blasDWeight, new Contest("backward weight", flops,
            () => backend.MatMulBackwardWeight(y, x, dWeight, null),
            () => torchDWeight.addmm_(yT, torchX, beta: 1, alpha: 1),
            () => blas!.MatMul(
                n, k, m, OpsDevice.Elements(torchY), true, OpsDevice.Elements(torchX), false, 1,
                OpsDevice.Elements(blasDWeight))));
    }

    public void Dispose()
    {
        scope.Dispose();
        arena.Dispose();
    }

    private Contest Check(Tensor ours, TorchTensor theirs, TorchTensor blas, Contest contest)
    {
        contest.Ours();
        contest.Theirs();
        device.Compare(contest.Op, ours, theirs);
        if (device.OpenBlas is null)
            return contest with { OpenBlas = null };
        contest.OpenBlas!();
        OpsDevice.Compare(contest.Op, "OpenBLAS beside libtorch", OpsDevice.Elements(blas), OpsDevice.Elements(theirs));
        return contest;
    }
}
