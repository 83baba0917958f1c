using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

public sealed class GpuOpsTestsOnSimulated() : GpuOpsTests<Simulated>(OpSizes.Tiny);

/// <summary>
/// Every op on a GPU beside the CPU, on the same values: whatever the op tests hold for the CPU, holds for the GPU.
/// </summary>
public abstract class GpuOpsTests<TDevice>(OpSizes sizes) where TDevice : IDevice
{
    private const double Tolerance = 1e-5;

    // Three digits of bf16, in which results and what an op keeps for the next one are rounded.
    private const double RoundedTolerance = 1e-2;

    [Fact]
    public void EveryOp_MatchesTheCpu() => Check(DType.F32, Tolerance);

    [Fact]
    public void EveryOpInBf16_MatchesTheCpu() => Check(DType.BF16, RoundedTolerance);

    [Fact]
    public void Repetition_ChangesNoBit()
    {
        using var backend = TDevice.Create();
        using var calls = new OpCalls(backend, sizes);
        var first = calls.All.Select(call => Outputs(call)).ToList();
        calls.Reset();
        foreach (var (call, expected) in calls.All.Zip(first))
            foreach (var (e, a) in expected.Zip(Outputs(call)))
                Compare.SameBits(call.Name, e.Values, a.Values);
    }

    private void Check(DType type, double tolerance)
    {
        using Backend cpu = CpuBackend.Create(threads: 1), gpu = TDevice.Create();
        using OpCalls expected = new(cpu, sizes, DType.F32, rounded: true),
            actual = new(gpu, sizes, type, rounded: true);

        // 8-bit weights run on the CPU alone.
        var calls = expected.All.Where(call => !call.Name.StartsWith("Quantize", StringComparison.Ordinal)).ToList();
        Assert.Equal(calls.Select(call => call.Name), actual.All.Select(call => call.Name));
        foreach (var (e, a) in calls.Zip(actual.All))
            foreach (var ((expectedValues, shape), (values, _)) in Outputs(e).Zip(Outputs(a)))
            {
                Compare.Close(
                    $"{e.Name} in {type}", Array.ConvertAll(expectedValues, v => (double)v), values, shape,
                    tolerance, 1);
            }
    }

    private static List<(float[] Values, Shape Shape)> Outputs(OpCall call)
    {
        call.Run();
        return [.. call.Outputs.Select(tensor => (ModelRun.Read(tensor), tensor.Shape))];
    }
}
