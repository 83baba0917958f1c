using TinyLlm.Cli;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What <c>--tokenizer</c> refuses, and what it suggests in its place.</summary>
public class TokenizerKindsTests
{
    [Theory]
    [InlineData("subword", "bpe")]
    [InlineData("sentencepiece", "bpe")]
    [InlineData("bpee", "bpe")]
    [InlineData("characters", "char")]
    [InlineData("words", "word")]
    [InlineData("o200", "o200k")]
    [InlineData("gpt4", "cl100k")]
    [InlineData("my-tokenizer", null)]
    public void AnUnknownKind_IsRefused_WithTheOneThatIsMeant(string value, string? meant)
    {
        string message = Refusal(value, mayTrain: true);
        foreach (string part in new[] { $"--tokenizer {value}: there is no such folder", "bpe, char, word, byte",
            "cl100k, o200k", "a folder" })
            Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Equal(meant is not null, message.Contains($"Did you mean {meant}?", StringComparison.Ordinal));
    }

    [Fact]
    public void WhereNoneIsTrained_AKindIsNotSuggested()
    {
        Assert.DoesNotContain("bpe", Refusal("subword", mayTrain: false), StringComparison.Ordinal);
        Assert.Contains("tokenizer train --tokenizer bpe", Refusal("bpe", mayTrain: false), StringComparison.Ordinal);
        Assert.Contains("Did you mean cl100k?", Refusal("cl100", mayTrain: false), StringComparison.Ordinal);
    }

    private static string Refusal(string value, bool mayTrain) =>
        Assert.Throws<TinyLlmException>(() => TokenizerKinds.Open(value, mayTrain)).Message;
}
