using TinyLlm.Kernels;

namespace TinyLlm.Training.Data;

/// <summary>Examples of one micro-batch, on the host.</summary>
public sealed class Batch
{
    /// <summary>The most tokens of a batch, far above what any device trains on at once.</summary>
    public const int MaxTokens = 1 << 26;

    private readonly int b, t;

    /// <summary>Takes the memory of a batch.</summary>
    /// <param name="b">Rows.</param>
    /// <param name="t">Tokens of a row.</param>
    /// <exception cref="TinyLlmException">They are more than <see cref="MaxTokens"/>.</exception>
    public Batch(int b, int t)
    {
        if ((long)b * t > MaxTokens)
            throw new TinyLlmException($"--batch-size {b}: with {t} tokens a row, expected at most {MaxTokens / t}. A larger --accumulate does the same in less memory.");
        (this.b, this.t) = (b, t);
        (Tokens, Targets) = (new int[b * t], new int[b * t]);
    }

    /// <summary>(B, T): token ids.</summary>
    public int[] Tokens { get; }

    /// <summary>(B, T): ids to predict, -1 where none is scored.</summary>
    public int[] Targets { get; }

    /// <summary>Number of scored tokens.</summary>
    public int Scored { get; private set; }

    /// <summary>Rows.</summary>
    public int B => b;

    /// <summary>Fills row r with example <paramref name="places"/>[r]; rows whose index is negative are left unscored.</summary>
    public void Fill(IExamples examples, ReadOnlySpan<(long Epoch, long Index)> places)
    {
        for (int row = 0; row < b; row++)
        {
            var tokens = Tokens.AsSpan(row * t, t);
            var targets = Targets.AsSpan(row * t, t);
            var (epoch, index) = places[row];
            if (index >= 0)
            {
                examples.Read(epoch, index, tokens, targets);
                continue;
            }

            tokens.Clear();
            targets.Fill(-1);
        }

        Scored = 0;
        foreach (int target in Targets)
            Scored += target >= 0 ? 1 : 0;
    }
}
