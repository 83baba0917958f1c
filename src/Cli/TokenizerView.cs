using System.Globalization;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>Shows on stderr how far a tokenizer's training is, once it takes more than a moment.</summary>
internal sealed class TokenizerView : IProgress<BpeProgress>, IDisposable
{
    private readonly StatusLine line = new(first: TimeSpan.FromSeconds(1));

    public void Report(BpeProgress value) => line.Show(() => value.Merges == 0
        ? string.Create(CultureInfo.InvariantCulture, $"tokenizer: {value.BytesCounted / 1e6:N0} MB counted, {value.DistinctPreTokens:N0} distinct pre-tokens")
        : string.Create(CultureInfo.InvariantCulture, $"tokenizer: {value.Merges:N0} of {value.MergesWanted:N0} merges"));

    public void Dispose() => line.Dispose();
}
