using System.Runtime.InteropServices;
using TinyLlm.Bench.Goldens;
using TinyLlm.Kernels;
using static TorchSharp.torch;
using Tensor = TinyLlm.Kernels.Tensor;
using TorchTensor = TorchSharp.torch.Tensor;

namespace TinyLlm.Bench.Ops;

/// <summary>The sides that ops are timed on, with so many threads each.</summary>
internal sealed class OpsDevice : IDisposable
{
    private readonly GoldenRandom random = new(1);

    public OpsDevice(int threads)
    {
        set_num_threads(threads);
        Backend = Backend.Create("cpu", threads);
        OpenBlas = OpenBlas.TryOpen(threads);
        PeakGflops = FmaPeak.Gflops(threads);
    }

    /// <summary>Ours.</summary>
    public Backend Backend { get; }

    /// <summary>The system's OpenBLAS, where it is found.</summary>
    public OpenBlas? OpenBlas { get; }

    /// <summary>What the cores can do at most.</summary>
    public double PeakGflops { get; }

    /// <summary>The elements of a contiguous tensor of libtorch's, in place.</summary>
    public static Span<float> Elements(TorchTensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    /// <summary>
    /// Fills a tensor with numbers from -1 to 1, and returns libtorch's with the same, aligned as its own are.
    /// </summary>
    public TorchTensor Fill(Tensor tensor)
    {
        float[] values = new float[tensor.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = (random.Next() >> 40) * (2f / (1 << 24)) - 1;
        Backend.Write(tensor, values);
        var copy = empty([.. Enumerable.Range(0, tensor.Shape.Rank).Select(i => (long)tensor.Shape[i])]);
        values.CopyTo(Elements(copy));
        return copy;
    }

    /// <summary>Compares two results.</summary>
    /// <exception cref="InvalidOperationException">They differ by more than rounding.</exception>
    public void Compare(string op, Tensor ours, TorchTensor theirs)
    {
        float[] values = new float[ours.Count];
        Backend.Read(ours, values);
        using var scope = NewDisposeScope();
        Compare(op, $"{ours}", values, Elements(theirs.contiguous()));
    }

    /// <summary>Compares two results; <paramref name="what"/> says of what.</summary>
    /// <exception cref="InvalidOperationException">They differ by more than rounding.</exception>
    public static void Compare(string op, string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs)
    {
        double difference = 0, largest = 0;
        for (int i = 0; i < ours.Length; i++)
        {
            difference = Math.Max(difference, Math.Abs((double)ours[i] - theirs[i]));
            largest = Math.Max(largest, Math.Abs(theirs[i]));
        }

        if (!(difference <= 2e-5 * largest))
        {
            throw new InvalidOperationException($"{op} {what}: the sides differ by {difference / largest:E1} of the "
                + "largest element; expected 2E-5 or less.");
        }
    }

    public void Dispose() => Backend.Dispose();
}
