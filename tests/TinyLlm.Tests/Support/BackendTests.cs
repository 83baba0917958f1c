using System.Runtime.InteropServices;
using TinyLlm.Kernels;

namespace TinyLlm.Tests.Support;

/// <summary>
/// Base of the op tests, which are the same for every device: an abstract class for each op, closed for a device in one
/// line. A test makes its tensors, runs an op with <see cref="Run"/>, and compares with the double-precision reference.
/// </summary>
public abstract class BackendTests<TDevice> : IDisposable where TDevice : IDevice
{
    // Another seed can be tried without a rebuild; failures print the one they ran with.
    private static readonly int seed =
        int.TryParse(Environment.GetEnvironmentVariable("TINYLLM_TEST_SEED"), out int given) ? given : 1;

    private readonly List<TestBlock> blocks = [];
    private readonly RandomValues random = new(seed);

    protected Backend Backend { get; } = TDevice.Create();

    private protected RandomValues Values => random;

    public virtual void Dispose()
    {
        foreach (var block in blocks)
            block.Dispose();
        Backend.Dispose();
    }

    /// <summary>A tensor of Gaussian values: an input, or an output that an op accumulates into.</summary>
    protected TestTensor Random(Shape shape, double scale = 1, double mean = 0, DType dtype = DType.F32) =>
        Output(shape, dtype).Set(random.Floats(shape.Count, scale, mean));

    /// <summary>A tensor of the given values.</summary>
    protected TestTensor Of(Shape shape, params float[] values) => Output(shape).Set(values);

    /// <summary>A tensor of values that the reference computed, rounded to single precision.</summary>
    protected TestTensor Of(Shape shape, double[] values) => Output(shape).Set(values);

    /// <summary>An I32 tensor.</summary>
    protected TestTensor Integers(Shape shape, params int[] values) =>
        New(shape, DType.I32).Set(MemoryMarshal.Cast<int, float>(values));

    /// <summary>A tensor of NaN: whatever an op leaves out shows.</summary>
    protected TestTensor Output(Shape shape, DType dtype = DType.F32) => New(shape, dtype);

    /// <summary>The step state's buffer with these values; see <see cref="StepState"/>.</summary>
    protected TestTensor State(
        ulong seed = 0x0123456789ABCDEF, int step = 7, int microStep = 0, float learningRate = 1e-3f,
        float beta1 = 0.9f, float beta2 = 0.99f)
    {
        using var arena = new Arena(Backend, "step state");
        var state = new StepState(arena);
        arena.Allocate();
        state.Send(seed, step, microStep, learningRate, beta1, beta2);

        // The same 32 bits seen as floats, so that they can be read back.
        var bits = new float[StepState.Size];
        Backend.Read(new Tensor(state.Buffer.Storage, state.Buffer.Offset, StepState.Size, DType.F32), bits);
        return New(StepState.Size, DType.I32).Set(bits);
    }

    /// <summary>
    /// Runs an op and fails if it changed anything but <paramref name="written"/>: inputs, guard zones, gaps between
    /// the rows of strided views.
    /// </summary>
    protected void Run(Action op, params TestTensor[] written)
    {
        op();
        Backend.Synchronize();
        foreach (var block in blocks)
            block.CheckUntouched(written);
    }

    /// <summary>Compares with the reference; see <see cref="Compare.Close"/>.</summary>
    protected static void Close(string what, double[] expected, TestTensor actual, double tolerance) =>
        Compare.Close(what, expected, actual.Floats(), actual.Shape, tolerance, seed);

    private TestTensor New(Shape shape, DType dtype)
    {
        var block = new TestBlock(Backend, shape, dtype);
        blocks.Add(block);
        return new TestTensor(block, block.Tensor);
    }
}
