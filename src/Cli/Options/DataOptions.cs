using System.CommandLine;
using TinyLlm.Data.Sources;

namespace TinyLlm.Cli;

/// <summary>How text is read: the same options for every command that takes raw text.</summary>
internal sealed class DataOptions
{
    /// <summary>What <c>--data</c> takes.</summary>
    public const string Help = "Text: a file, a folder, a glob or builtin:NAME (.txt, .jsonl, .parquet, .gz, .zst, "
        + ".bin, a folder written by tokenize), optionally =WEIGHT, its sampling weight; may be repeated.";

    private readonly Option<string?> textField = LoopOptions.Path<string?>(
        "--text-field", "NAME", "Field of .jsonl rows and column of .parquet files that has the text; default: text.");
    private readonly Option<string?> encoding = LoopOptions.Path<string?>(
        "--encoding", "NAME", "Encoding of text files without a byte order mark, such as latin1; default: bytes as "
        + "they are, which is UTF-8 for most.");
    private readonly Option<string?> separator = LoopOptions.Text("--document-separator", "TEXT",
        "Text files are cut into documents at the lines that are exactly this, such as <|endoftext|>; default: a text "
        + "file is one document.");
    private readonly Option<bool> strict = new("--strict")
    {
        Description = "Refuse data with a bad line; default: bad "
            + "lines are left out, counted and named."
    };

    public void AddTo(Command command)
    {
        command.Options.Add(textField);
        command.Options.Add(encoding);
        command.Options.Add(separator);
        command.Options.Add(strict);
    }

    /// <summary>The field that <c>--text-field</c> names; null where it is absent.</summary>
    public string? TextField(ParseResult parse) => parse.GetValue(textField);

    public SourceOptions Read(ParseResult parse) =>
        new(parse.GetValue(textField)
            ?? "text", parse.GetValue(encoding), parse.GetValue(strict), parse.GetValue(separator));

    /// <summary>Reads the options of a run, which a resume cannot change.</summary>
    public SourceOptions Read(OptionReader reader) =>
        new(reader.Fixed(textField, "text")!, reader.Fixed(encoding, null), reader.Fixed(strict, false),
            reader.Fixed(separator, null));
}
