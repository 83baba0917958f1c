using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels.Cpu;

namespace TinyLlm.Bench.Ops;

/// <summary>
/// What the machine's cores can do at most: fused multiply-adds on registers, with as many in flight as the units take.
/// </summary>
internal static class FmaPeak
{
    private const int Accumulators = 12, Iterations = 4_000_000, Tries = 5;

    /// <summary>GFLOP/s of all threads together, the best of several tries with the widest vectors.</summary>
    public static double Gflops(int threads) =>
        Enumerable.Range(0, Tries)
        .Max(_ => Vector512.IsHardwareAccelerated ? Try<Simd512>(threads) : Try<Simd256>(threads));

    private static double Try<V>(int threads) where V : struct, ISimd<V>
    {
        float[] sums = new float[threads];
        double seconds = Together.Seconds(threads, i => sums[i] = Run<V>(0.999f, 0.001f));
        if (!sums.All(float.IsFinite))
            throw new InvalidOperationException("The sum of the multiply-adds is not finite.");
        return 2.0 * V.Width * Accumulators * Iterations * threads / seconds / 1e9;
    }

    // x = x m + a in each accumulator stays near 1.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Run<V>(float factor, float addend) where V : struct, ISimd<V>
    {
        V m = V.Create(factor), a = V.Create(addend);
        V x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;
        for (int i = 0; i < Iterations; i++)
        {
            x0 = V.MultiplyAdd(x0, m, a);
            x1 = V.MultiplyAdd(x1, m, a);
            x2 = V.MultiplyAdd(x2, m, a);
            x3 = V.MultiplyAdd(x3, m, a);
            x4 = V.MultiplyAdd(x4, m, a);
            x5 = V.MultiplyAdd(x5, m, a);
            x6 = V.MultiplyAdd(x6, m, a);
            x7 = V.MultiplyAdd(x7, m, a);
            x8 = V.MultiplyAdd(x8, m, a);
            x9 = V.MultiplyAdd(x9, m, a);
            x10 = V.MultiplyAdd(x10, m, a);
            x11 = V.MultiplyAdd(x11, m, a);
        }

        return V.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
    }
}
