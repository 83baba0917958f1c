namespace TinyLlm.Training.Data;

/// <summary>Examples of one micro-batch, on the host.</summary>
public sealed class Batch
{
    private readonly int b, t;

    /// <summary>Takes the memory of a batch.</summary>
    /// <param name="b">Rows.</param>
    /// <param name="t">Tokens of a row.</param>
    public Batch(int b, int t)
    {
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
