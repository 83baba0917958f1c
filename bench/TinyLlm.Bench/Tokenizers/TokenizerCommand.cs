using System.CommandLine;
using System.Text.Json;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;
using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// <c>tokenizer</c>: training of a BPE vocabulary and encoding with one, beside Hugging Face's library, Microsoft's and
/// tiktoken.
/// </summary>
internal static class TokenizerCommand
{
    // GPT-2's 50,000 merges, 256 bytes and a special token, and two special tokens more.
    private const int EncodingVocabulary = 50_259;

    private sealed record Settings(string[] Text, int Megabytes, int Vocabulary, int Threads, int Rounds, string? Npm);

    public static Command Create()
    {
        var text = TextOption();
        var megabytes = CommonOptions.Positive("--size-mb", 100, "Size of the text in MB.");
        var vocabulary = CommonOptions.Positive(
            "--vocab", 30_000, "Tokens of our vocabulary; Hugging Face's binding trains 30,000.");
        var (threads, rounds) = (CommonOptions.Threads(),
            CommonOptions.Positive("--rounds", 3, "Rounds; in each, every side runs once, in turn."));
        var npm = new Option<string?>("--npm") { HelpName = "FOLDER", Description = "Folder that keeps the npm "
            + "packages for the next time; absent: a temporary one." };
        var json = ResultsFile.Option();
        var command = new Command("tokenizer", "Time training of a BPE vocabulary, and encoding, beside Hugging "
            + "Face's library, Microsoft's and tiktoken.") { text, megabytes, vocabulary, threads, rounds, npm, json };
        command.SetAction(parse => Run(
            new Settings(
                parse.GetValue(text)!, parse.GetValue(megabytes), parse.GetValue(vocabulary), parse.GetValue(threads),
                parse.GetValue(rounds), parse.GetValue(npm)),
            new ResultsFile(parse.GetValue(json))));
        return command;
    }

    /// <summary>--text.</summary>
    public static Option<string[]> TextOption() => new("--text")
    {
        Description = "Folders of real text, code and notes that large texts are made of, beside the built-in "
            + "corpora; those that do not exist are left out.",
        HelpName = "FOLDER",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [".", Path.Combine("..", "shared", "data")],
    };

    private static void Run(Settings settings, ResultsFile results)
    {
        using var folder = new TemporaryFolder();
        var packages = new NpmPackages(settings.Npm ?? folder["npm"]);
        string text = folder["text.txt"];
        var source = new MixedText(settings.Text.Where(Directory.Exists));
        source.Write(text, settings.Megabytes * 1_000_000L);
        Console.WriteLine($"{new FileInfo(text).Length / 1e6:F1} MB of text, made of {source.SourceBytes / 1e6:F1} MB");

        new TrainingContest(text, folder, packages, settings.Threads, settings.Rounds)
            .Run(settings.Vocabulary, folder["ours"], Pattern(folder["empty"]), results);

        var tokenizer = BpeTrainer.Train(TextPieces.Read(text, 1 << 20), EncodingVocabulary, settings.Threads);
        tokenizer.Save(folder["encoding"]);
        new EncodingContest(text, folder, packages, settings.Threads, settings.Rounds)
            .Run(folder["encoding"], tokenizer.VocabularySize, results);
    }

    // The regular expression of our pre-tokens, as our tokenizer.json gives it to others.
    private static string Pattern(string folder)
    {
        BpeTrainer.Train([], BpeTrainer.MinimumVocabularySize).Save(folder);
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        return json.RootElement.GetProperty("pre_tokenizer").GetProperty("pretokenizers")[0].GetProperty("pattern")
            .GetProperty("Regex").GetString()!;
    }
}
