using System.Diagnostics;
using System.Globalization;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>Shows on stderr how far a tokenizer's training is, once it takes more than a moment.</summary>
internal sealed class TokenizerView : IProgress<BpeProgress>
{
    private static readonly TimeSpan LiveEvery = TimeSpan.FromSeconds(0.2), PlainEvery = TimeSpan.FromSeconds(5);

    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly Lock one = new();
    private readonly bool live = !Console.IsErrorRedirected;
    private TimeSpan next = TimeSpan.FromSeconds(1);

    public void Report(BpeProgress value)
    {
        lock (one)
        {
            if (clock.Elapsed < next)
                return;
            next = clock.Elapsed + (live ? LiveEvery : PlainEvery);
            string line = value.Merges == 0
                ? string.Create(CultureInfo.InvariantCulture, $"tokenizer: {value.BytesCounted / 1e6:N0} MB counted, {value.DistinctPreTokens:N0} distinct pre-tokens")
                : string.Create(CultureInfo.InvariantCulture, $"tokenizer: {value.Merges:N0} of {value.MergesWanted:N0} merges");
            if (live)
                Console.Error.Write($"\r{line}\u001b[K");
            else
                Console.Error.WriteLine(line);
        }
    }
}
