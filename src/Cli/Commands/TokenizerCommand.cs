using System.CommandLine;
using TinyLlm.Cli.Terminal;
using TinyLlm.Data.Sources;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm tokenizer train|encode|decode|show|export</c>.</summary>
internal static class TokenizerCommand
{
    /// <summary>The tokenizer to use.</summary>
    public static readonly Option<string> TokenizerOption = LoopOptions.Path<string>(
        "--tokenizer", "DIR|cl100k|o200k", "Folder with a tokenizer.json (a model folder is one) or GPT-2's "
        + "vocab.json and merges.txt, or a ready vocabulary.", required: true);

    /// <summary>What to read.</summary>
    public static readonly Option<string?> Input =
        LoopOptions.Path<string?>("--input", "FILE", "What to read; default: standard input.");

    /// <summary>Whether the text may spell added tokens.</summary>
    public static readonly Option<bool> Special = new("--special")
    {
        Description = "Take the names of added tokens "
            + "such as <|endoftext|> in the text as those tokens; default: as plain text."
    };

    public static Command Create() =>
        new("tokenizer", "Train a tokenizer, or try one.") { CreateTrain(), CreateEncode(), CreateDecode(),
            TokenizerShowCommand.Create(), CreateExport() };

    private static Command CreateTrain()
    {
        var data = LoopOptions.Path<string[]>("--data", "PATH", DataOptions.Help, required: true);
        var reading = new DataOptions();
        var kind = LoopOptions.Choice(
            "--tokenizer", "Kind of tokenizer; default: bpe.", [.. TokenizerKinds.Trained, "byte"]);
        var size = LoopOptions.Number(
            "--vocab-size", "Vocabulary of a bpe or word tokenizer, special tokens included; default: 2048.");
        var minimumCount =
            LoopOptions.Number("--min-count", "A word tokenizer leaves words out that occur less often; default: 1.");
        var threads = new ThreadsOption();
        var folder = LoopOptions.Path<string>("--out", "DIR", "Where to write tokenizer.json.", required: true);
        var command = new Command("train", "Train a tokenizer on text.") { data, kind, size, minimumCount, folder };
        threads.AddTo(command);
        reading.AddTo(command);
        command.SetAction((parse, stop) =>
        {
            string name = parse.GetValue(kind) ?? "bpe";
            int count = threads.Read(parse);
            SpooledInput.TakeAll(parse.GetValue(data)!, stop);
            var sources = DataSource.Parse(parse.GetValue(data)!, reading.Read(parse));
            var tokenizer = TokenizerKinds.IsTrained(name)
                ? TokenizerKinds.Train(name, sources, [], Given(size, 2048), Given(minimumCount, 1), count, stop)
                : TokenizerKinds.Open(name);
            tokenizer.Save(parse.GetValue(folder)!);
            Console.WriteLine(
                $"{parse.GetValue(folder)}: {tokenizer.Kind} tokenizer with {tokenizer.VocabularySize:N0} tokens.");
            return Task.FromResult(ExitCode.Done);

            int Given(Option<int> option, int fallback) =>
                parse.GetResult(option) is { Implicit: false } ? parse.GetValue(option) : fallback;
        });
        return command;
    }

    private static Command CreateEncode()
    {
        var command =
            new Command("encode", "Text to ids, separated by spaces, on stdout.") { TokenizerOption, Input, Special };
        SetAction(command, (parse, stop) =>
        {
            int[] ids = TokenizerKinds.Open(parse.GetValue(TokenizerOption)!)
                .Encode(ReadInput(parse.GetValue(Input), stop), parse.GetValue(Special));
            Console.Out.WriteLine(string.Join(' ', ids));
        });
        return command;
    }

    private static Command CreateDecode()
    {
        var command =
            new Command("decode", "Ids, separated by white space, to text on stdout.") { TokenizerOption, Input };
        SetAction(command, (parse, stop) =>
        {
            var tokenizer = TokenizerKinds.Open(parse.GetValue(TokenizerOption)!);
            string text = System.Text.Encoding.UTF8.GetString(ReadInput(parse.GetValue(Input), stop));
            int[] ids = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToArray();
            using var output = StandardStreams.OpenOutput();
            output.Write(tokenizer.Decode(ids));
        });
        return command;
    }

    private static Command CreateExport()
    {
        var folder = LoopOptions.Path<string>(
            "--out", "DIR", "Where to write tokenizer.json and tokenizer_config.json.", required: true);
        var command =
            new Command("export", "Write a tokenizer in the form that Hugging Face opens.") { TokenizerOption, folder };
        command.SetAction(parse =>
        {
            var tokenizer = TokenizerKinds.Open(parse.GetValue(TokenizerOption)!);
            tokenizer.Save(parse.GetValue(folder)!);
            Console.WriteLine(
                $"{parse.GetValue(folder)}: {tokenizer.Kind} tokenizer with {tokenizer.VocabularySize:N0} tokens.");
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>
    /// Has a command that only reads and shows do its work where a signal ends it at once, whatever it waits for.
    /// </summary>
    public static void SetAction(Command command, Action<ParseResult, CancellationToken> action) =>
        command.SetAction((parse, stop) => Task.FromResult(Interruptible.Run(() =>
    {
        action(parse, stop);
        return ExitCode.Done;
    }, stop)));

    private static int Parse(string word) => NumberText.TryParse(word, out int id)
        ? id
        : throw new TinyLlmException(
            $"tokenizer decode: \"{word}\" is no token id; expected whole numbers separated by white space.");

    /// <summary>The bytes of a file, or of standard input.</summary>
    public static byte[] ReadInput(string? path, CancellationToken stop)
    {
        if (path is not null)
        {
            try
            {
                return File.ReadAllBytes(path);
            }
            catch (Exception e) when (FileErrors.Is(e))
            {
                throw FileErrors.Reading(path, e);
            }
        }

        return StandardStreams.ReadInput(stop);
    }
}
