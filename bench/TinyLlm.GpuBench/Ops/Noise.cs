using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.GpuBench.Ops;

/// <summary>
/// Random numbers that both sides know: element i of a tensor that was filled from <c>start</c> is number (start + i)
/// mod <see cref="Period"/> of a table. The device fills gigabytes in no time, and the host can compute any element of
/// a result without reading its inputs back.
/// </summary>
internal sealed class Noise : IDisposable
{
    /// <summary>A prime, so that no dimension of a tensor is in step with it.</summary>
    public const int Period = 4_194_301;

    private readonly Backend backend;
    private readonly Arena arena;
    private readonly Tensor table, piece, sum;
    private readonly float[] values = new float[Period];

    /// <summary>Draws the table, uniform from -1 to 1.</summary>
    public Noise(Backend backend)
    {
        this.backend = backend;
        var random = new Random(1);
        for (int i = 0; i < Period; i++)
            values[i] = 2 * random.NextSingle() - 1;
        arena = new Arena(backend, "noise");
        table = arena.Add("table", Period);
        piece = arena.Add("piece", Period);
        sum = arena.Add("sum", 1);
        arena.Allocate();
        backend.Write(table, values);
    }

    /// <summary>Fills a contiguous tensor.</summary>
    public void Fill(Tensor tensor, long start) => EachPiece(tensor, (part, begin) =>
    {
        int place = (int)((start + begin) % Period), first = Math.Min(part.Shape[0], Period - place);
        backend.Cast(table.Slice(0, place, first), part.Slice(0, 0, first));
        if (first < part.Shape[0])
            backend.Cast(table.Slice(0, 0, part.Shape[0] - first), part.Slice(0, first, part.Shape[0] - first));
    });

    /// <summary>
    /// Element <paramref name="i"/> of a tensor of this type that was filled from <paramref name="start"/>, exactly.
    /// </summary>
    public double At(long start, long i, DType dtype)
    {
        float value = values[(start + i) % Period];
        return dtype == DType.BF16 ? BFloat16.Round(value) : value;
    }

    /// <summary>Whether a contiguous tensor has neither NaN nor infinity.</summary>
    public bool IsFinite(Tensor tensor)
    {
        backend.Fill(sum, 0);
        EachPiece(tensor, (part, _) =>
        {
            var floats = piece.Slice(0, 0, part.Shape[0]);
            backend.Cast(part, floats);
            backend.Dot(floats, floats, 1, sum);
        });
        var host = new float[1];
        backend.Read(sum, host);
        return float.IsFinite(host[0]);
    }

    public void Dispose() => arena.Dispose();

    private static void EachPiece(Tensor tensor, Action<Tensor, long> action)
    {
        var row = tensor.View(checked((int)tensor.Count));
        for (int begin = 0; begin < row.Shape[0]; begin += Math.Min(Period, row.Shape[0] - begin))
            action(row.Slice(0, begin, Math.Min(Period, row.Shape[0] - begin)), begin);
    }
}
