using System.Globalization;
using System.Text;
using TinyLlm.Cli;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What training of a tokenizer tells at its end.</summary>
public class TokenizerViewTests
{
    private static readonly ReadOnlyMemory<byte> Text = Encoding.UTF8.GetBytes(
        string.Join(
            ' ', Enumerable.Range(0, 5000)
            .Select(i => $"word{(char)('a' + i % 26)}{(char)('a' + i / 26 % 26)}{(char)('a' + i / 676)}")));

    [Theory]
    [InlineData(BpeTrainer.MaximumTextBytes, false)]
    [InlineData(10_000, true)]
    public void Complete_TellsWhatWasDropped(long maximumTextBytes, bool expected)
    {
        // Other tests write to the same stream.
        var written = new StringWriter();
        var before = Console.Error;
        Console.SetError(TextWriter.Synchronized(written));
        var seen = new LastProgress();
        try
        {
            using var view = new TokenizerView();
            seen.Next = view;
            BpeTrainer.Train([Text], 280, 2, maximumTextBytes, 1000, seen, TestContext.Current.CancellationToken);
            view.Complete();
        }
        finally
        {
            Console.SetError(before);
        }

        Assert.Equal(expected, seen.Last.DroppedPreTokens > 0);
        string line = string.Create(CultureInfo.InvariantCulture, $"{seen.Last.DroppedPreTokens:N0} rare pre-tokens "
            + $"did not fit into memory and were dropped");
        Assert.Equal(expected, written.ToString().Contains(line, StringComparison.Ordinal));
    }

    private sealed class LastProgress : IProgress<BpeProgress>
    {
        public IProgress<BpeProgress>? Next { get; set; }

        public BpeProgress Last { get; private set; }

        public void Report(BpeProgress value)
        {
            Last = value;
            Next!.Report(value);
        }
    }
}
