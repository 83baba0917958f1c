using TinyLlm.Bench.Goldens;
using TinyLlm.Kernels;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TinyLlm.Kernels.Tensor;
using TorchTensor = TorchSharp.torch.Tensor;

namespace TinyLlm.Bench.Timing;

/// <summary>
/// One linear layer's three products on both sides, with the same numbers. libtorch's are <c>addmm_</c> into memory that is there: the
/// same BLAS call as <c>linear</c>'s, without an allocation.
/// </summary>
internal sealed class MatMulPair : IDisposable
{
    private readonly Arena arena;
    private readonly DisposeScope scope;
    private readonly Tensor x, weight, y, dx, dWeight;
    private readonly TorchTensor torchX, torchWeight, torchY, torchDx, torchDWeight;
    private readonly Backend backend;

    public MatMulPair(Backend backend, int m, int n, int k)
    {
        this.backend = backend;
        arena = new Arena(backend, "matmul");
        x = arena.Add("x", (m, k));
        weight = arena.Add("weight", (n, k));
        y = arena.Add("y", (m, n));
        dx = arena.Add("dx", (m, k));
        dWeight = arena.Add("dWeight", (n, k));
        arena.Allocate();

        scope = NewDisposeScope();
        var random = new GoldenRandom(1);
        torchX = Fill(x, random);
        torchWeight = Fill(weight, random);
        (torchY, torchDx, torchDWeight) = (zeros(m, n), zeros(m, k), zeros(n, k));
    }

    /// <summary>Runs each product once on both sides, compares the results, and returns the products to be timed.</summary>
    /// <exception cref="InvalidOperationException">The sides disagree.</exception>
    public IEnumerable<(string Op, Action Ours, Action Theirs)> Check()
    {
        // y is the gradient of the other two: it holds numbers of the right kind once the first has run.
        (string Op, Action Ours, Action Theirs, Tensor Result, TorchTensor TorchResult)[] products =
        [
            ("forward", () => backend.MatMul(x, weight, null, y), () => torchY.addmm_(torchX, torchWeight.t(), beta: 0, alpha: 1), y, torchY),
            ("backward input", () => backend.MatMulBackwardInput(y, weight, dx), () => torchDx.addmm_(torchY, torchWeight, beta: 0, alpha: 1), dx, torchDx),
            ("backward weight", () => backend.MatMulBackwardWeight(y, x, dWeight, null), () => torchDWeight.addmm_(torchY.t(), torchX, beta: 1, alpha: 1), dWeight, torchDWeight),
        ];
        foreach (var (op, ours, theirs, result, torchResult) in products)
        {
            ours();
            theirs();
            Compare(op, result, torchResult);
            yield return (op, ours, theirs);
        }
    }

    public void Dispose()
    {
        scope.Dispose();
        arena.Dispose();
    }

    private TorchTensor Fill(Tensor tensor, GoldenRandom random)
    {
        float[] values = new float[tensor.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = (random.Next() >> 40) * (2f / (1 << 24)) - 1;
        backend.Write(tensor, values);
        return torch.tensor(values, [tensor.Shape[0], tensor.Shape[1]]).clone();
    }

    private void Compare(string op, Tensor ours, TorchTensor theirs)
    {
        float[] values = new float[ours.Count];
        backend.Read(ours, values);
        using var inner = NewDisposeScope();
        var actual = torch.tensor(values, theirs.shape);
        double difference = ((actual - theirs).abs().max() / theirs.abs().max()).item<float>();
        if (!(difference <= 1e-5))
            throw new InvalidOperationException($"{op} {ours}: the sides differ by {difference:E1} of the largest element.");
    }
}
