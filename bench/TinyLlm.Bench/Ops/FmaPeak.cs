using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TinyLlm.Bench.Ops;

/// <summary>What the machine's cores can do at most: fused multiply-adds on registers, with as many in flight as the units take.</summary>
internal static class FmaPeak
{
    private const int Accumulators = 12, Iterations = 4_000_000, Tries = 5;

    /// <summary>GFLOP/s of all threads together, the best of several tries with the widest vectors.</summary>
    public static double Gflops(int threads) => Enumerable.Range(0, Tries).Max(_ => Try(threads));

    private static double Try(int threads)
    {
        bool wide = Vector512.IsHardwareAccelerated;
        using var start = new Barrier(threads + 1);
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            start.SignalAndWait();
            float sum = wide ? Wide(Iterations, 0.999f, 0.001f) : Narrow(Iterations, 0.999f, 0.001f);
            if (!float.IsFinite(sum))
                throw new InvalidOperationException($"The sum of the multiply-adds is {sum}; expected a finite one.");
        }))];
        foreach (var worker in workers)
            worker.Start();
        start.SignalAndWait();
        long begin = Stopwatch.GetTimestamp();
        foreach (var worker in workers)
            worker.Join();
        int lanes = wide ? Vector512<float>.Count : Vector256<float>.Count;
        return 2.0 * lanes * Accumulators * Iterations * threads / Stopwatch.GetElapsedTime(begin).TotalSeconds / 1e9;
    }

    // x = x m + a in each accumulator stays near 1.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Wide(int iterations, float factor, float addend)
    {
        var (m, a) = (Vector512.Create(factor), Vector512.Create(addend));
        Vector512<float> x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;
        for (int i = 0; i < iterations; i++)
        {
            (x0, x1, x2) = (Vector512.FusedMultiplyAdd(x0, m, a), Vector512.FusedMultiplyAdd(x1, m, a), Vector512.FusedMultiplyAdd(x2, m, a));
            (x3, x4, x5) = (Vector512.FusedMultiplyAdd(x3, m, a), Vector512.FusedMultiplyAdd(x4, m, a), Vector512.FusedMultiplyAdd(x5, m, a));
            (x6, x7, x8) = (Vector512.FusedMultiplyAdd(x6, m, a), Vector512.FusedMultiplyAdd(x7, m, a), Vector512.FusedMultiplyAdd(x8, m, a));
            (x9, x10, x11) = (Vector512.FusedMultiplyAdd(x9, m, a), Vector512.FusedMultiplyAdd(x10, m, a), Vector512.FusedMultiplyAdd(x11, m, a));
        }

        return Vector512.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Narrow(int iterations, float factor, float addend)
    {
        var (m, a) = (Vector256.Create(factor), Vector256.Create(addend));
        Vector256<float> x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;
        for (int i = 0; i < iterations; i++)
        {
            (x0, x1, x2) = (Vector256.FusedMultiplyAdd(x0, m, a), Vector256.FusedMultiplyAdd(x1, m, a), Vector256.FusedMultiplyAdd(x2, m, a));
            (x3, x4, x5) = (Vector256.FusedMultiplyAdd(x3, m, a), Vector256.FusedMultiplyAdd(x4, m, a), Vector256.FusedMultiplyAdd(x5, m, a));
            (x6, x7, x8) = (Vector256.FusedMultiplyAdd(x6, m, a), Vector256.FusedMultiplyAdd(x7, m, a), Vector256.FusedMultiplyAdd(x8, m, a));
            (x9, x10, x11) = (Vector256.FusedMultiplyAdd(x9, m, a), Vector256.FusedMultiplyAdd(x10, m, a), Vector256.FusedMultiplyAdd(x11, m, a));
        }

        return Vector256.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
    }
}
