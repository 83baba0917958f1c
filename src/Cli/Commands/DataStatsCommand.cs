using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TinyLlm.Data.Sources;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm data stats</c>: what text there is, before a model learns from it.</summary>
internal static class DataStatsCommand
{
    private static readonly JsonSerializerOptions Json =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly Option<string[]> Data =
        LoopOptions.Path<string[]>("--data", "PATH", DataOptions.Help, required: true);
    private static readonly Option<string?> TokenizerOption = LoopOptions.Path<string?>(
        "--tokenizer", "DIR|NAME",
        "Folder with a tokenizer.json, or byte, cl100k or o200k, to count tokens; default: they are not counted.");
    private static readonly DataOptions Reading = new();
    private static readonly Option<string?> JsonFile =
        LoopOptions.Path<string?>("--json", "FILE", "Also write the figures to this file.");

    public static Command Create()
    {
        var command = new Command("stats", "Count documents, bytes, characters, lines, tokens and duplicates, and "
            + "show how long documents are.")
        {
            Data, TokenizerOption, JsonFile,
        };
        Reading.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        SpooledInput.TakeAll(parse.GetValue(Data)!, stop);
        var sources = DataSource.Parse(parse.GetValue(Data)!, Reading.Read(parse));
        var tokenizer = parse.GetValue(TokenizerOption) is { } folder ? TokenizerKinds.Open(folder) : null;
        var report = new ReadReport();
        var progress = new ReadingProgress(sources.Sum(source => source.Bytes));
        var statistics = progress.Run(
            read => DataStatistics.Collect(sources, tokenizer, report, Environment.ProcessorCount, read, stop));
        if (report.Documents == 0)
        {
            throw new TinyLlmException($"--data {string.Join(' ', sources.Select(source => source.Name))}: there is "
                + $"no document with text{BadLines(report)}; check the files and --text-field.");
        }

        Print(sources, statistics, report, tokenizer);
        if (parse.GetValue(JsonFile) is { } file)
            AtomicFile.WriteText(file, JsonSerializer.Serialize(Figures(sources, statistics, report), Json) + "\n");
        return ExitCode.Done;
    }

    private static string BadLines(ReadReport report) => report.BadLineCount == 0 ? ""
        : $", but {report.BadLineCount:N0} bad lines, the first in {report.BadLines[0]}";

    private static void Print(
        IReadOnlyList<DataSource> sources, DataStatistics statistics, ReadReport report, Tokenizer? tokenizer)
    {
        var total = statistics.Total;
        if (sources.Count > 1)
        {
            for (int i = 0; i < sources.Count; i++)
                Line("source", $"{sources[i].Name}: {Summary(statistics.Sources[i])}");
        }

        Line("documents",
            total.ByteLengths.Count.ToString("N0", CultureInfo.InvariantCulture)
            + (report.EmptyDocuments > 0 ? $" ({report.EmptyDocuments:N0} without text left out)" : ""));
        Line("bytes", $"{total.ByteLengths.Sum:N0}");
        Line("characters", $"{total.Characters:N0}");
        Line("lines", $"{total.Lines:N0}");
        if (tokenizer is not null)
        {
            Line("tokens", $"{total.TokenLengths.Sum:N0} of {tokenizer.Kind} with {tokenizer.VocabularySize:N0}, "
                + $"{BytesPerToken(total):F3} bytes each");
        }

        Line("duplicates", $"{statistics.Duplicates:N0} documents, "
            + $"{100.0 * statistics.Duplicates / total.ByteLengths.Count:F1}% (found in "
            + $"{statistics.HashBytes / 1048576.0:F1} MiB of hashes)");
        Line("not UTF-8", $"{report.DocumentsNotUtf8:N0} documents");
        Line("bad lines", report.BadLineCount == 0 ? "none" : $"{report.BadLineCount:N0} left out");
        foreach (var line in report.BadLines.OrderBy(line => line.File, StringComparer.Ordinal)
            .ThenBy(line => line.Line))
            Line("", line.ToString());
        HistogramView.Print("bytes", total.ByteLengths);
        if (tokenizer is not null)
            HistogramView.Print("tokens", total.TokenLengths);
    }

    private static string Summary(TextStatistics source) =>
        $"{source.ByteLengths.Count:N0} documents, {source.ByteLengths.Sum:N0} "
        + "bytes" + (source.TokenLengths.Count > 0
            ? $", {source.TokenLengths.Sum:N0} tokens, {BytesPerToken(source):F3} bytes each" : "");

    private static double BytesPerToken(TextStatistics source) =>
        (double)source.ByteLengths.Sum / source.TokenLengths.Sum;

    private static void Line(string name, string text) => OutputConsole.WriteLine($"{name,-11} {text}", 12);

    private static Dictionary<string, object?> Figures(IReadOnlyList<DataSource> sources, DataStatistics statistics,
        ReadReport report)
    {
        var figures = Counts(statistics.Total);
        figures["empty_documents"] = report.EmptyDocuments;
        figures["duplicate_documents"] = statistics.Duplicates;
        figures["documents_not_utf8"] = report.DocumentsNotUtf8;
        figures["bad_lines"] = report.BadLineCount;
        figures["first_bad_lines"] =
            report.BadLines.Select(line => new { file = line.File, line = line.Line, reason = line.Reason });
        figures["sources"] = sources.Select(
            (source, i) =>
            new Dictionary<string, object?>(Counts(statistics.Sources[i]).Prepend(new("name", source.Name)))).ToList();
        return figures;
    }

    private static Dictionary<string, object?> Counts(TextStatistics source)
    {
        bool hasTokens = source.TokenLengths.Count > 0;
        return new Dictionary<string, object?>
        {
            ["documents"] = source.ByteLengths.Count,
            ["bytes"] = source.ByteLengths.Sum,
            ["characters"] = source.Characters,
            ["lines"] = source.Lines,
            ["tokens"] = hasTokens ? source.TokenLengths.Sum : null,
            ["bytes_per_token"] = hasTokens ? BytesPerToken(source) : null,
            ["document_bytes"] = Lengths(source.ByteLengths),
            ["document_tokens"] = hasTokens ? Lengths(source.TokenLengths) : null,
        };
    }

    private static object Lengths(LengthHistogram lengths) => new
    {
        shortest = lengths.Shortest,
        longest = lengths.Longest,
        histogram = lengths.Bars.Select(bar => new { from = bar.From, to = bar.To, documents = bar.Count }),
    };
}
