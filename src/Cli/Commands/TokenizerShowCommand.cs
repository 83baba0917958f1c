using System.CommandLine;
using System.Globalization;
using System.Text;
using Spectre.Console;
using TinyLlm.Cli.Terminal;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm tokenizer show</c>: the pieces that a text is cut into, with their ids.</summary>
internal static class TokenizerShowCommand
{
    private const int LongestLine = 1 << 20; // the terminal breaks lines, and loses no space at their ends

    private static readonly Argument<string?> Text = new(
        "TEXT")
    { Description = "What to show; default: --input, or standard input.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Style[] Styles = [new Style(Color.Black, Color.Aqua), new Style(Color.Black, Color.Yellow)];

    public static Command Create()
    {
        var command =
            new Command("show", "Show the pieces of a text with their ids, and how many bytes a token stands for.")
        {
            Text, TokenizerCommand.TokenizerOption, TokenizerCommand.Input, TokenizerCommand.Special,
        };
        TokenizerCommand.SetAction(command, (parse, stop) =>
        {
            byte[] text = parse.GetValue(Text) is not { } words
                ? TokenizerCommand.ReadInput(parse.GetValue(TokenizerCommand.Input), stop)
                : parse.GetValue(TokenizerCommand.Input) is null ? Encoding.UTF8.GetBytes(words)
                : throw new TinyLlmException(
                    "tokenizer show: there is both a TEXT and an --input; expected one of them.");
            var tokenizer = TokenizerKinds.Open(parse.GetValue(TokenizerCommand.TokenizerOption)!);
            Write(tokenizer, tokenizer.Encode(text, parse.GetValue(TokenizerCommand.Special)), text.Length);
        });
        return command;
    }

    /// <summary>
    /// A token's text with what cannot be seen made visible: control characters as their pictures, others and parts of
    /// characters as hexadecimal numbers.
    /// </summary>
    public static string Visible(ReadOnlySpan<byte> token)
    {
        var text = new StringBuilder();
        for (int at = 0; at < token.Length;)
        {
            var status = Rune.DecodeFromUtf8(token[at..], out Rune character, out int length);
            if (status != System.Buffers.OperationStatus.Done)
            {
                foreach (byte b in token.Slice(at, length))
                    text.Append(CultureInfo.InvariantCulture, $"<{b:X2}>");
            }
            else if (character.Value is < 0x20 or 0x7F)
            {
                text.Append((char)(character.Value == 0x7F ? 0x2421 : 0x2400 + character.Value));
            }
            else if (IsInvisible(character))
            {
                text.Append(CultureInfo.InvariantCulture, $"<U+{character.Value:X4}>");
            }
            else
            {
                text.Append(character);
            }

            at += length;
        }

        return text.ToString();
    }

    // Also what turns the direction of writing, which would show the pieces in another order.
    private static bool IsInvisible(Rune character) => Rune.GetUnicodeCategory(character)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator;

    // A row of pieces and a row of ids for each line of the text.
    private static void Write(Tokenizer tokenizer, int[] ids, int bytes)
    {
        bool coloured = !Console.IsOutputRedirected;
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(Console.Out),
                Ansi = coloured ? AnsiSupport.Detect
            : AnsiSupport.No
            });
        console.Profile.Width = LongestLine;
        using var plain = new StreamWriter(
            StandardStreams.OpenOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        for (int start = 0, end; start < ids.Length; start = end)
        {
            end = start;
            while (end < ids.Length && !tokenizer.TokenBytes(ids[end++]).Contains((byte)'\n'))
            {
            }

            var pieces = ids[start..end].Select(id => Visible(tokenizer.TokenBytes(id)));
            var numbers = ids[start..end].Select(id => id.ToString(CultureInfo.InvariantCulture));
            if (coloured)
            {
                WriteRow(console, pieces, start, "");
                WriteRow(console, numbers, start, " ");
            }
            else
            {
                plain.WriteLine(string.Join('|', pieces));
                plain.WriteLine(string.Join(' ', numbers));
            }
        }

        plain.WriteLine(Summary(tokenizer, ids, bytes));
    }

    private static void WriteRow(IAnsiConsole console, IEnumerable<string> pieces, int first, string separator)
    {
        foreach (string piece in pieces)
        {
            console.Write(new Text(piece, Styles[first++ % Styles.Length]));
            console.Write(separator);
        }

        console.WriteLine();
    }

    private static string Summary(Tokenizer tokenizer, int[] ids, int bytes)
    {
        string summary = string.Create(CultureInfo.InvariantCulture, $"{bytes:N0} bytes, {ids.Length:N0} tokens");
        if (ids.Length > 0)
        {
            summary += string.Create(
                CultureInfo.InvariantCulture, $", {(double)bytes / ids.Length:F2} bytes per token");
        }

        int unknown = tokenizer.Unknown is int id ? ids.Count(i => i == id) : 0;
        return unknown > 0 ? string.Create(CultureInfo.InvariantCulture, $"{summary}, {unknown:N0} unknown") : summary;
    }
}
