using System.Diagnostics;
using TinyLlm.GpuBench.Ops;
using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Smoke;

/// <summary>
/// Checks of the backend: sequences, results on their way, and the two ops that most of the time goes to. Each returns
/// what it saw.
/// </summary>
internal static class BackendChecks
{
    /// <summary>A recorded sequence that is run three times gives what the ops give one by one, bit for bit.</summary>
    public static string Sequence(Backend backend)
    {
        const int count = 10_007, runs = 3;
        using var arena = new Arena(backend, "smoke");
        Tensor step = arena.Add("step", count), recorded = arena.Add("recorded", count),
            direct = arena.Add("direct", count);
        arena.Allocate();
        float[] values = [.. Enumerable.Range(0, count).Select(i => MathF.Sin(i))];
        foreach (var tensor in (Tensor[])[step, recorded, direct])
            backend.Write(tensor, values);

        using var sequence = backend.Record(() => Ops(recorded));
        for (int i = 0; i < runs; i++)
            sequence.Run();
        for (int i = 0; i < runs; i++)
            Ops(direct);
        float[] a = Read(backend, recorded), b = Read(backend, direct);
        if (!a.SequenceEqual(b) || !a.All(float.IsFinite) || a.SequenceEqual(values))
        {
            throw new InvalidOperationException($"the recorded sequence gave {string.Join(" ", a.Take(3))} ..., its "
                + $"ops one by one {string.Join(" ", b.Take(3))} ...");
        }

        return $"{runs} runs: the same bits";

        void Ops(Tensor x)
        {
            backend.Add(x, step, x);
            backend.Gelu(x, x);
        }
    }

    /// <summary>
    /// Time of an op of next to no work, started from the host and recorded: recorded launches should cost a fraction.
    /// </summary>
    public static string LaunchCost(Backend backend, bool quick)
    {
        int ops = quick ? 5 : 100, runs = quick ? 1 : 50;
        using var arena = new Arena(backend, "smoke");
        var x = arena.Add("x", 64);
        arena.Allocate();
        using var sequence = backend.Record(All);
        return $"started one by one {Microseconds(All):F2} us, recorded {Microseconds(sequence.Run):F2} us";

        void All()
        {
            for (int i = 0; i < ops; i++)
                backend.Fill(x, i);
        }

        double Microseconds(Action run)
        {
            run();
            run();
            backend.Synchronize();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < runs; i++)
                run();
            backend.Synchronize();
            return Stopwatch.GetElapsedTime(start).TotalMicroseconds / (runs * ops);
        }
    }

    /// <summary>A read-back takes the value at its place among the ops, and the host goes on meanwhile.</summary>
    public static string ReadBack(Backend backend, bool quick)
    {
        int count = quick ? 1000 : 1 << 24, before = quick ? 3 : 200;
        using var arena = new Arena(backend, "smoke");
        Tensor x = arena.Add("x", count), one = arena.Add("one", count);
        arena.Allocate();
        backend.Fill(one, 1);
        backend.Add(x, one, x);
        backend.Synchronize();

        using var readBack = backend.CreateReadBack(4);
        long start = Stopwatch.GetTimestamp();
        for (int i = 1; i < before; i++)
            backend.Add(x, one, x);
        readBack.Start(x.Slice(0, count - 4, 4));
        for (int i = 0; i < before; i++)
            backend.Add(x, one, x);
        var started = Stopwatch.GetElapsedTime(start);
        float[] values = readBack.Wait().ToArray();
        var arrived = Stopwatch.GetElapsedTime(start);
        backend.Synchronize();
        var done = Stopwatch.GetElapsedTime(start);
        if (!values.All(v => v == before) || Read(backend, x)[0] != 2 * before)
        {
            throw new InvalidOperationException(
                $"read {string.Join(" ", values)} then {Read(backend, x)[0]}; expected {before} then {2 * before}");
        }

        return $"all started after {started.TotalMilliseconds:F2} ms, the value there after "
            + $"{arrived.TotalMilliseconds:F2} ms, all done after {done.TotalMilliseconds:F2} ms";
    }

    /// <summary>
    /// The three products of each shape against double precision; null where the backend has no such type.
    /// </summary>
    public static string? MatMul(Backend backend, params MatMulShape[] shapes)
    {
        if (!backend.Supports(Sizes.TypeOf(shapes[0].Precision)))
            return null;
        using var noise = new Noise(backend);
        return string.Join(
            "; ", shapes.Select(shape => $"({shape.M}, {shape.N}, {shape.K}) {MatMul(backend, noise, shape)}"));
    }

    private static string MatMul(Backend backend, Noise noise, MatMulShape shape)
    {
        double tolerance = Tolerance.OfProduct(Sizes.TypeOf(shape.Precision));
        using var products = new MatMulCase(backend, noise, shape, sets: 1);
        double y = products.CheckForward();
        products.StartBackward();
        return Within(
            ("y", y, tolerance), ("dx", products.CheckBackwardInput(), tolerance),
            ("dWeight", products.CheckBackwardWeight(), Tolerance.OfProduct(DType.F32)));
    }

    /// <summary>
    /// Attention and its gradients against double precision; null where the backend has no such type.
    /// </summary>
    public static string? Attention(Backend backend, AttentionShape shape)
    {
        var dtype = Sizes.TypeOf(shape.Precision);
        if (!backend.Supports(dtype))
            return null;
        using var noise = new Noise(backend);
        using var attention = new AttentionCase(backend, noise, shape, sets: 1);
        double tolerance = Tolerance.OfAttention(dtype);
        return Within(
            ("output", attention.CheckForward(), tolerance), ("dq, dk, dv", attention.CheckBackward(), tolerance));
    }

    private static string Within(params (string Name, double Error, double Tolerance)[] results)
    {
        string text = string.Join(", ", results.Select(r => $"{r.Name} {r.Error:E1}"));
        return results.All(r => r.Error <= r.Tolerance) ? $"errors {text}"
            : throw new InvalidOperationException(
                $"errors {text}; expected at most {string.Join(", ", results.Select(r => r.Tolerance))}");
    }

    private static float[] Read(Backend backend, Tensor tensor)
    {
        var values = new float[tensor.Count];
        backend.Read(tensor, values);
        return values;
    }
}
