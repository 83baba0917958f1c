using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// Device memory of one test tensor with guard zones before and behind it, and an image of what it should hold. All of
/// it, guards and the gap up to the next 32 elements included, is NaN until the test sets values, so that a read past
/// the end shows up in the result.
/// </summary>
internal sealed class TestBlock : IDisposable
{
    private const int Guard = 64, Alignment = 32;

    private readonly Storage storage;
    private readonly Tensor whole;
    private readonly float[] image;

    public TestBlock(Backend backend, Shape shape, DType dtype)
    {
        int size = (int)((shape.Count + Alignment - 1) / Alignment * Alignment) + 2 * Guard;
        storage = backend.CreateStorage();
        var stored = dtype == DType.BF16 ? DType.BF16 : DType.F32;
        storage.Allocate(size * stored.Size());
        whole = new Tensor(storage, 0, size, stored);
        Tensor = new Tensor(storage, Guard, shape, dtype);
        image = new float[size];
        Array.Fill(image, float.NaN);
        backend.Write(whole, image);
    }

    /// <summary>The tensor between the guards.</summary>
    public Tensor Tensor { get; }

    /// <summary>
    /// Writes the elements of a view of this block, given in row-major order; integers as floats of the same bits; BF16
    /// elements are rounded.
    /// </summary>
    public void Set(Tensor view, ReadOnlySpan<float> values)
    {
        Assert.Equal(view.Count, values.Length);
        int next = 0;
        foreach (int place in Places(view))
            image[place] = whole.DType == DType.BF16 ? BFloat16.Round(values[next++]) : values[next++];
        storage.Backend.Write(whole, image);
    }

    /// <summary>Reads the elements of a view of this block in row-major order.</summary>
    public float[] Get(Tensor view)
    {
        var now = Read();
        return Places(view).Select(place => now[place]).ToArray();
    }

    /// <summary>
    /// Fails if anything but the elements of <paramref name="written"/> has other bits than before; then takes over
    /// what was written.
    /// </summary>
    public void CheckUntouched(IEnumerable<TestTensor> written)
    {
        var now = Read();
        var mayChange = new bool[image.Length];
        foreach (var tensor in written.Where(t => t.Block == this))
            foreach (int place in Places(tensor))
                mayChange[place] = true;

        for (int i = 0; i < image.Length; i++)
        {
            if (!mayChange[i] && BitConverter.SingleToInt32Bits(now[i]) != BitConverter.SingleToInt32Bits(image[i]))
            {
                Assert.Fail(
                    $"{Tensor}: element {i - Guard}, which the op must not write, was {image[i]:R} and is {now[i]:R}.");
            }
        }

        now.CopyTo(image, 0);
    }

    public void Dispose() => storage.Dispose();

    private float[] Read()
    {
        var now = new float[image.Length];
        storage.Backend.Read(whole, now);
        return now;
    }

    private static IEnumerable<int> Places(Tensor view)
    {
        var index = new int[view.Shape.Rank];
        for (long n = 0; n < view.Count; n++)
        {
            long place = view.Offset;
            for (int i = 0; i < index.Length; i++)
                place += (long)index[i] * view.Stride(i);
            yield return (int)place;

            for (int i = index.Length - 1; i >= 0 && ++index[i] == view.Shape[i]; i--)
                index[i] = 0;
        }
    }
}
