using TinyLlm.Bench.Goldens;
using TinyLlm.Bench.Peers;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Decoding;

/// <summary>A side's times, one value a round.</summary>
internal sealed class DecodeTimes
{
    /// <summary>Seconds of a token, after a short prompt.</summary>
    public Sample Token { get; } = new();

    /// <summary>Seconds until the first token after a long prompt.</summary>
    public Sample Prompt { get; } = new();

    /// <summary>Seconds of a token where several samples are generated at once; TinyLlm's alone.</summary>
    public Sample BatchToken { get; } = new();
}

/// <summary>What every side does: read a long prompt, and write on from a short one.</summary>
internal sealed class DecodeContest
{
    /// <summary>Tokens of the long prompt.</summary>
    public const int LongPrompt = 512;

    private const int ShortPrompt = 8, CheckedTokens = 4;

    // Logits of the widened models are some units apart; of two that are closer than this, rounding may choose either.
    private const double MissTolerance = 1e-2;

    private readonly int[] longPrompt, shortPrompt;
    private readonly int tokens;

    public DecodeContest(int vocabulary, int tokens)
    {
        this.tokens = tokens;
        var random = new GoldenRandom(3);
        longPrompt = [.. Enumerable.Range(0, LongPrompt).Select(_ => random.Next(vocabulary))];
        shortPrompt = longPrompt[..ShortPrompt];
    }

    /// <summary>Runs every part once, unmeasured, and has libtorch judge our tokens.</summary>
    /// <exception cref="InvalidOperationException">A token of ours is not the likeliest.</exception>
    public void Check(TinyLlmDecoder ours, TorchDecoder theirs)
    {
        Check("short", shortPrompt, tokens);
        Check("long", longPrompt, CheckedTokens);

        void Check(string name, int[] prompt, int count)
        {
            int[] mine = ours.Generate(prompt, count).Tokens, others = theirs.Generate(prompt, count).Tokens;
            double miss = theirs.LargestMiss(prompt, mine);
            if (!(miss <= MissTolerance))
            {
                throw new InvalidOperationException($"After the {name} prompt a token of TinyLlm's is {miss:F3} below "
                    + $"the likeliest by libtorch's logits; expected at most {MissTolerance}.");
            }

            Console.WriteLine(
                $"after the {name} prompt: {mine.Distinct().Count()} different tokens of {count}, "
                + $"{mine.Zip(others).TakeWhile(pair => pair.First == pair.Second).Count()} the same as libtorch's, "
                + $"none more than {miss:E1} below the likeliest ({MissTolerance} allowed)");
        }
    }

    /// <summary>One round of one side.</summary>
    public void Measure(IDecoder decoder, DecodeTimes times)
    {
        times.Prompt.Add(decoder.Generate(longPrompt, 1).FirstSeconds);
        times.Token.Add(decoder.Generate(shortPrompt, tokens).SecondsPerToken);
    }

    /// <summary>The same, and several samples at once.</summary>
    public void MeasureWithBatch(TinyLlmDecoder decoder, DecodeTimes times)
    {
        Measure(decoder, times);
        times.BatchToken.Add(decoder.SecondsPerBatchToken(shortPrompt, tokens));
    }
}
