using TinyLlm.GpuBench.Ops;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>
/// TFLOP/s of products and attention, ours beside PyTorch's (cuBLAS and its fused attention) where they were measured.
/// </summary>
internal static class RateTables
{
    private sealed record Ours<T>(List<T> Results);

    private sealed record Peers(List<MatMulResult> Products, List<AttentionResult> Attention);

    /// <summary>Both tables of a section.</summary>
    public static string Format(Section section)
    {
        var peers = section.Part<Peers>("torch-ops");
        string products = Compare(
            section.Part<Ours<MatMulResult>>("matmul")?.Results, peers?.Products,
            ["model", "layer", "precision", "op", "M", "N", "K"],
            r => [r.Model, r.Layer, r.Precision, r.Op, $"{r.M}", $"{r.N}", $"{r.K}"],
            r => new Rate((r.Op, r.Precision, r.M, r.N, r.K), r.Tflops, r.Error, r.Passed));
        string attention = Compare(
            section.Part<Ours<AttentionResult>>("attention")?.Results, peers?.Attention,
            ["precision", "op", "B", "T", "H", "Hkv", "D"],
            r => [r.Precision, r.Op, $"{r.B}", $"{r.T}", $"{r.H}", $"{r.Hkv}", $"{r.D}"],
            r => new Rate((r.Op, r.Precision, (r.B, r.T), (r.H, r.Hkv), r.D), r.Tflops, r.Error, r.Passed));
        return Titled("Products", products)
            + Titled("Causal attention (half of the products' arithmetic counted)", attention);
    }

    private static string Titled(string title, string table) => table.Length == 0 ? "" : $"{title}:\n\n{table}\n";

    private sealed record Rate(object Key, double Tflops, double? Error, bool Passed);

    // A table of ours, of theirs, or of both, one line a shape.
    private static string Compare<T>(
        List<T>? ours, List<T>? theirs, string[] columns, Func<T, string[]> cells, Func<T, Rate> rate)
    {
        var theirRates = theirs?.Select(rate).ToDictionary(r => r.Key, r => r.Tflops) ?? [];
        var ratios = new List<double>();
        var rows = (ours ?? theirs ?? []).Select(result =>
        {
            var r = rate(result);
            double? peer = theirRates.TryGetValue(r.Key, out double tflops) ? tflops : null;
            if (ours is null)
                return (string[])[.. cells(result), "", $"{peer:G4}", "", ""];
            if (peer is not null)
                ratios.Add(r.Tflops / peer.Value);
            string error = r.Error is { } e ? $"{e:E1}" : "not finite";
            return (string[])[.. cells(result), $"{r.Tflops:G4}", $"{peer:G4}", $"{r.Tflops / peer:F2}", r.Passed
                ? error : $"**{error}**"];
        }).ToList();
        string table = ReportText.Table([.. columns, "TFLOP/s", "PyTorch", "ratio", "error"], rows);
        if (ratios.Count == 0)
            return table;
        ratios.Sort();
        return $"{table}\nRatio to PyTorch over {ratios.Count}: smallest {ratios[0]:F2}, median "
            + $"{ratios[ratios.Count / 2]:F2}, largest {ratios[^1]:F2}.\n";
    }
}
