using System.Globalization;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>
/// Shows on stderr how far a tokenizer's training is, once it takes more than a moment, and at its end what was left
/// out.
/// </summary>
internal sealed class TokenizerView : IProgress<BpeProgress>, IDisposable
{
    private readonly StatusLine line = new(first: TimeSpan.FromSeconds(1));
    private long dropped;

    public void Report(BpeProgress value)
    {
        Interlocked.Exchange(ref dropped, value.DroppedPreTokens);
        line.Show(() => value.Merges == 0
            ? string.Create(CultureInfo.InvariantCulture, $"tokenizer: {value.BytesCounted / 1e6:N0} MB counted, "
                + $"{value.DistinctPreTokens:N0} distinct pre-tokens")
            : string.Create(
                CultureInfo.InvariantCulture, $"tokenizer: {value.Merges:N0} of {value.MergesWanted:N0} merges"));
    }

    /// <summary>Tells what of the text the tokenizer did not learn from, if anything.</summary>
    public void Complete()
    {
        line.Dispose();
        if (dropped > 0)
        {
            ErrorConsole.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"tokenizer: {dropped:N0} rare pre-tokens did not fit into memory and were dropped; the merges of "
                + $"rare words may differ from those of the whole text."));
        }
    }

    public void Dispose() => line.Dispose();
}
