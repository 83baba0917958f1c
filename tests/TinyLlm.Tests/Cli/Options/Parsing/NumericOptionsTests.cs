using System.CommandLine;
using TinyLlm.Cli;
using TinyLlm.Cli.Parsing;
using TinyLlm.Tests.Kernels;
using Xunit;

namespace TinyLlm.Tests.Cli.Parsing;

/// <summary>
/// All options of all commands that are numbers: a new one is among them without anybody's thinking of it.
/// </summary>
public class NumericOptionsTests
{
    private static readonly RootCommand Root = CommandTree.Create();

    public static TheoryData<string, string> Options =>
        [.. from c in Commands(Root, "") from o in c.Command.Options where NumericOptions.Is(
            o) select (c.Path, o.Name)];

    [Fact]
    public void TheTree_HasThem()
    {
        var all = Options.Select(row => row.Data).ToList();
        Assert.True(all.Count > 60, $"{all.Count} numeric options");
        foreach (var known in new[] { ("pretrain ", "--lr"), ("generate ", "--temperature"), ("chat ", "--seed"),
            ("finetune ", "--kl"), ("eval ", "--batch-size"), ("tokenizer train ", "--vocab-size") })
            Assert.Contains(known, all);

        // Nothing numeric is anywhere else: an argument, or a list.
        foreach (var (command, _) in Commands(Root, ""))
        {
            Assert.DoesNotContain(command.Arguments,
                a => Code(a.ValueType) is >= TypeCode.SByte and <= TypeCode.Decimal);
            Assert.DoesNotContain(command.Options, o => o.ValueType.IsArray && o.ValueType != typeof(string[]));
        }
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void AnOption_TakesOneForm(string path, string name)
    {
        var option = Commands(Root, "").Single(c => c.Path == path).Command.Options.Single(o => o.Name == name);
        bool whole = Code(option.ValueType) < TypeCode.Single;
        string[] large = whole ? ["1.0", "1e3", "99999999999999999999"] : ["1e400", "1e-400"];
        string[] bad = [.. NumberTextTests.NoNumbers.Select(row => row.Data), .. large];
        foreach (string text in bad)
        {
            foreach (string[] words in new[] { [name, text], text.Length > 0 ? [$"{name}={text}"]
                : new[] { name, "" } })
            {
                var parse = CommandTree.Parse(Root, [.. Words(path), .. words]);
                var error = Assert.Single(
                    parse.Errors, e => e.Message.StartsWith(name + " ", StringComparison.Ordinal));
                Assert.Contains(
                    whole ? "expected a whole number" : "expected a number such as 0.001", error.Message,
                    StringComparison.Ordinal);
            }
        }

        foreach (string text in whole ? (string[])["0", "7", "+7", "007"]
            : ["0", "7", "+7", "0.25", "1e-3", "2.5E+2", ".5"])
        {
            var parse = CommandTree.Parse(Root, [.. Words(path), name, text]);
            Assert.DoesNotContain(
                parse.Errors, e => e.Message.Contains(name + " ", StringComparison.Ordinal)
                && e.Message.Contains("expected", StringComparison.Ordinal));
            Assert.True(NumberText.TryParse(text, out double expected));
            Assert.Equal(expected, Value(parse, option), 1e-6);
        }
    }

    private static double Value(ParseResult parse, Option option) => option switch
    {
        Option<int> o => parse.GetValue(o),
        Option<ulong> o => parse.GetValue(o),
        Option<ulong?> o => parse.GetValue(o)!.Value,
        Option<float> o => parse.GetValue(o),
        Option<double> o => parse.GetValue(o),
        _ => throw new NotSupportedException($"{option.Name} is a {option.ValueType}; add it here."),
    };

    private static TypeCode Code(Type type) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type);

    private static string[] Words(string path) => path.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<(Command Command, string Path)> Commands(Command command, string path) =>
        command.Subcommands.SelectMany(below => Commands(below, $"{path}{below.Name} ")).Prepend((command, path));
}
