using System.Text;
using System.Text.Json.Nodes;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>gpu-check.md: the report for people.</summary>
internal static class ReportText
{
    public static string Format(Report report)
    {
        var text = new StringBuilder("# gpu-check\n\n");
        foreach (var (name, value) in report.Machine)
            text.Append($"- {name}: {value}\n");
        text.Append($"\n{Table(["section", "result", "seconds", "ended"], report.Sections.Select(s => (string[])
            [s.Key, s.Value.Status + (s.Value.Note is { } note ? $": {note}" : ""), $"{s.Value.Seconds}",
            $"{s.Value.Ended:yyyy-MM-dd HH:mm} UTC"]))}");
        foreach (var (name, section) in report.Sections)
        {
            string body = Body(name, section) + Failures(section);
            if (body.Length > 0)
                text.Append($"\n## {name}\n\n{body}");
        }

        return text.ToString();
    }

    /// <summary>A Markdown table; nothing where there are no rows.</summary>
    public static string Table(string[] columns, IEnumerable<string[]> rows)
    {
        string lines = string.Concat(rows.Select(row => Results.Line(row) + "\n"));
        return lines.Length == 0 ? "" : $"{Results.Line(columns)}\n{Results.Line(columns.Select(_ => "---"))}\n{lines}";
    }

    private static string Body(string name, Section section) => name switch
    {
        "smoke" => Smoke(section),
        "parity" => Parity(section),
        "matmul" => RateTables.Format(section),
        "train" => TrainTables.Format(section),
        "torch" => RateTables.Format(section) + TrainTables.Format(section),
        "hf" => HuggingFace(section),
        "shakespeare" => Shakespeare(section),
        _ => "",
    };

    // What the programs caught and went on after.
    private static string Failures(Section section)
    {
        string[] lines = [.. section.Parts.Values.OfType<JsonObject>()
            .SelectMany(part => part["failures"] is JsonArray failures ? failures.Select(f => $"- {f}\n") : [])];
        return lines.Length == 0 ? "" : $"\nFailures:\n\n{string.Concat(lines)}";
    }

    private static string Smoke(Section section) => Table(["check", "result", "what was seen"],
        section.Parts.GetValueOrDefault("smoke")?["results"]!.AsArray()
        .Select(r => (string[])[$"{r!["check"]}", $"{r["status"]}", $"{r["detail"]}"]) ?? []);

    private static string Parity(Section section)
    {
        if (section.Parts.GetValueOrDefault("tests")?["results"] is not { } results)
            return "";
        var summary = results["summary"]!;
        var failed = results["tests"]!.AsArray().Where(test => (string?)test!["status"] == "failed")
            .Select(test => $"{test!["name"]}: {FirstLine(test["message"])}").ToList();
        const int most = 40;
        string list = string.Concat(failed.Take(most).Select(line => $"- {line}\n"))
            + (failed.Count > most ? $"- and {failed.Count - most} more\n" : "");
        return $"{summary["passed"]} tests passed, {summary["failed"]} failed, {summary["skipped"]} were "
            + $"skipped.\n{(list.Length > 0 ? "\n" : "")}{list}";
    }

    private static string HuggingFace(Section section) =>
        Table(["architecture", "largest difference of a logit", "relative in norm", "same likeliest token", "result"],
            from part in section.Parts
            where part.Key.StartsWith("hf-", StringComparison.Ordinal)
            let r = part.Value
            select (string[])[$"{r["architecture"]}", $"{(double)r["largest"]!:E1}", $"{(double)r["relative"]!:E1}",
                $"{r["sameLikeliest"]} of {r["tokens"]}", $"{r["status"]}"]);

    private static string Shakespeare(Section section)
    {
        if (Judgement.BestLoss(section.Parts) is not { } best)
            return "";
        var lines = section.Parts["metrics"].AsArray();
        var last = lines[^1]!;
        string table = Table(
            ["step", "training loss", "validation loss", "tokens/s", "seconds"],
            lines.Where(line => line!["val_loss"] is not null).Select(line => (string[])
            [$"{line!["step"]}", $"{(double)line["train_loss"]!:F4}", $"{(double)line["val_loss"]!:F4}",
                $"{(double)line["tokens_per_second"]!:N0}", $"{(double)line["seconds"]!:F1}"]));
        return $"Lowest validation loss {best:F4} (nanoGPT: {Judgement.NanoGptLoss}) in {last["step"]} steps, "
            + $"{(double)last["seconds"]!:F1} s.\n\n{table}";
    }

    private static string FirstLine(JsonNode? message) => ((string?)message ?? "").Split('\n')[0].Trim();
}
