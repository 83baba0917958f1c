using System.CommandLine;
using TinyLlm.Cli;
using Xunit;

namespace TinyLlm.Tests.Cli.Parsing;

/// <summary>Texts on the command line are taken as they are, whatever they look like to a parser.</summary>
public class TextOptionTests
{
    private static readonly RootCommand Root = CommandTree.Create();

    public static readonly TheoryData<string> Texts =
    [
        "@bob said hi", "@bob", "@", "-5 degrees", "-", "--", "--x", "-h", "-?", "/h", "/?", "--help", "--version",
            "--model", "--model=x", "--top-k=5", "--top-k:5 is it", "--prompt", "--prompt=a",
        "[suggest]", "[diagram] x", "", " ", " a ", "a=b", "a:b", "=", ":", "\"quoted\"", "'", "generate", "tokenizer",
            "a\nb\n", "-hm", "\\", "$HOME", "\u4F60\u597D",
    ];

    [Theory]
    [MemberData(nameof(Texts))]
    public void AText_IsTheWholeWord(string text)
    {
        string[] start = ["generate", "--model", "m"], end = ["--count", "3"];
        foreach (string[] words in new string[][] { ["--prompt", text], [$"--prompt={text}"] })
        {
            var parse = CommandTree.Parse(Root, [.. start, .. words, .. end]);
            Assert.Empty(parse.Errors);
            Assert.Equal(text, parse.GetValue<string>("--prompt"));
            Assert.Equal(("m", 3), (parse.GetValue<string>("--model"), parse.GetValue<int>("--count")));
            Assert.Equal("generate", parse.CommandResult.Command.Name);
            Assert.False(parse.Action is System.CommandLine.Help.HelpAction);
        }

        var chat = CommandTree.Parse(Root, ["chat", "--stop", text, "--model", "m", "--stop", "b", "--system", text]);
        Assert.Empty(chat.Errors);
        Assert.Equal([text, "b"], chat.GetValue<string[]>("--stop")!);
        Assert.Equal(text, chat.GetValue<string>("--system"));
    }

    [Fact]
    public void ATextAtTheEnd_OrNone_IsWhatItIs()
    {
        Assert.Contains(
            "--prompt", Assert.Single(CommandTree.Parse(
                Root, ["generate", "--model", "m", "--prompt"]).Errors).Message, StringComparison.Ordinal);
        var show = CommandTree.Parse(Root, ["tokenizer", "show", "--tokenizer", "t", "--", "--special"]);
        Assert.Empty(show.Errors);
        Assert.Equal("--special", show.GetValue<string>("TEXT"));
        Assert.Equal("@a",
            CommandTree.Parse(Root, ["tokenizer", "show", "--tokenizer", "t", "@a"]).GetValue<string>("TEXT"));
    }

    [Theory]
    [InlineData("--out")]
    [InlineData("--data")]
    [InlineData("--tokenizer")]
    public void APath_IsNoOption(string name)
    {
        string message = Assert.Single(CommandTree.Parse(Root, ["pretrain", name, "--resume"]).Errors).Message;
        Assert.Contains($"Option '{name}' has no value: --resume is an option", message, StringComparison.Ordinal);
    }

    [Fact]
    public void SingleLetters_AreNotBundled() =>
        Assert.NotEmpty(CommandTree.Parse(Root, ["generate", "--model", "m", "-hm"]).Errors);
}
