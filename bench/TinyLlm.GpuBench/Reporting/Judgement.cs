using System.Text.Json.Nodes;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>What a section must have reached beyond its programs' exit codes.</summary>
internal static class Judgement
{
    /// <summary>
    /// nanoGPT's published validation loss for its character model of Shakespeare's works, and the highest loss that
    /// counts as the same: seeds differ by a hundredth, and it reports the best of many evaluations on a part of the
    /// split.
    /// </summary>
    public const double NanoGptLoss = 1.4697, HighestLoss = 1.50;

    private const int NanoGptSteps = 5000;

    /// <summary>passed or failed, and why.</summary>
    public static (string Status, string? Why) Of(string section, Dictionary<string, JsonNode> parts)
    {
        string? fault = section switch
        {
            "parity" => OfTests(parts.GetValueOrDefault("tests")?["results"]?["summary"]),
            "shakespeare" => OfLoss(BestLoss(parts), IsShort(parts)),
            _ => null,
        };
        return (fault is null ? Section.Passed : Section.Failed, fault);
    }

    /// <summary>The lowest validation loss of a run's log.</summary>
    public static double? BestLoss(Dictionary<string, JsonNode> parts) =>
        parts.TryGetValue("metrics", out var lines) ? lines.AsArray().Select(line => (double?)line!["val_loss"]).Min()
        : null;

    // gpu-check --quick trains a few steps, which reach nothing.
    private static bool IsShort(Dictionary<string, JsonNode> parts) =>
        parts.TryGetValue("metrics", out var lines) && (int)lines.AsArray()[^1]!["step"]! < NanoGptSteps;

    // A runner that found no device skips every test and is content.
    private static string? OfTests(JsonNode? summary)
    {
        if (summary is null)
            return "the runner left no results";
        int passed = (int)summary["passed"]!, failed = (int)summary["failed"]!;
        return failed > 0 ? $"{failed} tests failed" : passed == 0 ? "no test ran" : null;
    }

    private static string? OfLoss(double? loss, bool isShort) =>
        loss is not { } best ? "no evaluation" : isShort || best <= HighestLoss ? null
        : $"validation loss {best:F4}; expected {HighestLoss} or less";
}
