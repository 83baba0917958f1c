using System.CommandLine;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;
using TinyLlm.Bench.Tokenizers;
using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Data;

/// <summary>
/// <c>data</c>: what a token costs on its way from a text to a batch, for small and large texts in turn: it should not
/// grow with the text.
/// </summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var text = TokenizerCommand.TextOption();
        var sizes = new Option<int[]>(
            "--sizes-mb") { Description = "Sizes of the texts in MB.", HelpName = "n",
            AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 10, 100, 1000] };
        sizes.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int[]>().Any(size => size < 1))
                result.AddError("--sizes-mb: expected whole numbers from 1.");
        });
        var vocabulary =
            CommonOptions.Positive("--vocab", 8192, "Tokens of the vocabulary that the texts are encoded with.");
        var (threads, rounds) = (CommonOptions.Threads(),
            CommonOptions.Positive("--rounds", 3, "Rounds; in each, every size runs once, in turn."));
        var json = ResultsFile.Option();
        var command = new Command(
            "data", "Time preparing texts of several sizes, and reading batches of them.") { text, sizes, vocabulary,
            threads, rounds, json };
        command.SetAction(
            parse => Run(
                parse.GetValue(text)!, parse.GetValue(sizes)!, parse.GetValue(vocabulary), parse.GetValue(threads),
                parse.GetValue(rounds), new ResultsFile(parse.GetValue(json))));
        return command;
    }

    private static void Run(string[] folders, int[] sizes, int vocabulary, int threads, int rounds, ResultsFile results)
    {
        using var folder = new TemporaryFolder();
        var source = new MixedText(folders.Where(Directory.Exists));
        string learned = folder["learned.txt"];
        source.Write(learned, 10_000_000);
        var tokenizer = BpeTrainer.Train(TextPieces.Read(learned, 1 << 20), vocabulary, threads);
        PreparedText[] texts =
            [.. sizes.Select(size => new PreparedText(source, size * 1_000_000L, tokenizer, folder[$"{size}"]))];
        using var step = new StepOfTiny(folder, threads);
        for (int round = 0; round < rounds; round++)
        {
            foreach (var prepared in texts)
                prepared.Measure(threads);
            step.Measure();
        }

        Console.WriteLine($"A vocabulary of {vocabulary:N0}, {threads} threads, medians of {rounds} rounds. A step of "
            + $"tiny ({StepOfTiny.Size.BatchSize} x {StepOfTiny.Size.Context} tokens): {step.Time.Median * 1e3:F2} "
            + $"ms, spread {step.Time.Spread:P0}\n");
        var table = new Table(
            "text    ", "      tokens", "preparing, MB/s", "ns a token", "spread", "batch, us", "ns a token", "spread",
            "of a step of tiny      ");
        foreach (var p in texts)
        {
            double share = p.Batch.Median / step.Time.Median;
            table.Add($"{p.Bytes / 1e6:F0} MB", $"{p.Tokens:N0}", $"{p.Bytes / p.Preparing.Median / 1e6:F1}",
                $"{p.Preparing.Median / p.Tokens * 1e9:F1}", $"{p.Preparing.Spread:P0}",
                $"{p.Batch.Median * 1e6:F2}", $"{p.Batch.Median / StepOfTiny.Size.Tokens * 1e9:F2}",
                $"{p.Batch.Spread:P0}", $"{share:P3} (target 1% or less)");
            results.Add(
                new { model = $"data, {p.Bytes / 1e6:F0} MB", preparing = p.Preparing.Median / p.Tokens,
                    batch = p.Batch.Median, ratio = share });
        }
    }
}
