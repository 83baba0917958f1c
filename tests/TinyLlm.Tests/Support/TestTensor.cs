using TinyLlm.Kernels;

namespace TinyLlm.Tests.Support;

/// <summary>
/// A tensor of a test, or a strided view of one; see <see cref="TestBlock"/>. It passes for a <see cref="Tensor"/>.
/// </summary>
public sealed class TestTensor
{
    private readonly Tensor tensor;

    internal TestTensor(TestBlock block, Tensor tensor)
    {
        Block = block;
        this.tensor = tensor;
    }

    internal TestBlock Block { get; }

    public Shape Shape => tensor.Shape;

    public static implicit operator Tensor(TestTensor tensor) => tensor.tensor;

    public static implicit operator Tensor?(TestTensor? tensor) => tensor?.tensor;

    public TestTensor Slice(int dimension, int start, int length) => new(Block, tensor.Slice(dimension, start, length));

    public TestTensor View(Shape shape) => new(Block, tensor.View(shape));

    public TestTensor Set(ReadOnlySpan<float> values)
    {
        Block.Set(tensor, values);
        return this;
    }

    public TestTensor Set(double[] values) => Set(values.Select(v => (float)v).ToArray());

    /// <summary>The elements in row-major order.</summary>
    public float[] Floats() => Block.Get(tensor);

    /// <summary>The elements in row-major order, widened without loss: what the reference computes with.</summary>
    public double[] Doubles() => Floats().Select(v => (double)v).ToArray();
}
