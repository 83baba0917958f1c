using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels;

/// <summary>Words that a shell takes as they were.</summary>
public class ShellTests
{
    [Theory]
    [InlineData("runs/stories-1", "runs/stories-1")]
    [InlineData("my runs/a", "'my runs/a'")]
    [InlineData("it's", @"'it'\''s'")]
    [InlineData("caf\u00E9", "caf\u00E9")]
    [InlineData("a*b", "'a*b'")]
    [InlineData("~/x", "'~/x'")]
    [InlineData("", "''")]
    public void Unix_QuotesWhatMeansSomething(string word, string expected) =>
        Assert.Equal(expected, Shell.QuoteForUnix(word));

    [Theory]
    [InlineData(@"runs\stories-1", @"runs\stories-1")]
    [InlineData(@"C:\my runs\a", "\"C:\\my runs\\a\"")]
    [InlineData(@"my runs\", "\"my runs\\\\\"")]
    public void Windows_HasDoubleQuotes(string word, string expected) =>
        Assert.Equal(expected, Shell.QuoteForWindows(word));

    [Fact]
    public void AShell_GivesTheWordsBack()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no sh.");
        string[] words = ["a b", "it's $HOME `id` \"x\" \\", "*", "a;b|c&d<e>(f)", "#", "!x", "\u4F60 \u597D", "a\nb",
            "[a]", "{a,b}", "x=1", "-x", "~"];
        string script = $"printf '%s\\0' {string.Join(' ', words.Select(Shell.QuoteForUnix))}";
        Assert.Equal(words, ExternalProgram.Run("/bin/sh", "-c", script).Output.Split('\0')[..^1]);
    }
}
