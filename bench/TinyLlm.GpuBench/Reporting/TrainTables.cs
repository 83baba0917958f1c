using TinyLlm.GpuBench.Training;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>Training speed, ours beside PyTorch's where it was measured.</summary>
internal static class TrainTables
{
    private sealed record Ours(List<TrainResult> Results);

    private sealed record Peers(List<PeerResult> Results);

    /// <summary>A line of bench/peers/torch_gpt.py.</summary>
    /// <param name="Mode">eager, compile or graphs.</param>
    private sealed record PeerResult(
        string Name, string Architecture, int Batch, string Mode, double TokensPerSecond, double MemoryMiB);

    public static string Format(Section section)
    {
        var peers = section.Part<Peers>("torch-gpt")?.Results ?? [];
        string[] modes = [.. peers.Select(p => p.Mode).Distinct()];
        string ours = ReportText.Table(
            ["model", "architecture", "precision", "B", "micro-batch", "tokens/s", "MFU", "MiB", "loss",
                .. modes.SelectMany(mode => (string[])[$"PyTorch {mode} tokens/s", "MiB", "ratio"])],
            section.Part<Ours>("train")?.Results.Select(r => (string[])
            [
                r.Name, r.Architecture, r.Precision, $"{r.Batch}", $"{r.MicroBatch}", $"{r.TokensPerSecond:N0}",
                    $"{r.Mfu:P1}", $"{r.MemoryMiB:N0}", r.Passed ? $"{r.Loss:F3}" : $"**{r.Loss:F3}**",
                .. modes.SelectMany(
                    mode => Beside(
                        r, peers.Find(
                            p => (p.Name, p.Architecture, p.Batch, p.Mode)
                            == (r.Name, r.Architecture, r.Batch, mode)))),
            ]) ?? []);
        return ours.Length > 0 ? ours : ReportText.Table(["model", "architecture", "B", "PyTorch", "tokens/s", "MiB"],
            peers.Select(
                p => (string[])[p.Name, p.Architecture, $"{p.Batch}", p.Mode, $"{p.TokensPerSecond:N0}",
                    $"{p.MemoryMiB:N0}"]));
    }

    private static string[] Beside(TrainResult ours, PeerResult? theirs) => theirs is null
        ? ["", "", ""]
        : [$"{theirs.TokensPerSecond:N0}", $"{theirs.MemoryMiB:N0}",
            $"{ours.TokensPerSecond / theirs.TokensPerSecond:F2}"];
}
