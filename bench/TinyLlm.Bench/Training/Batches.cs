using TinyLlm.Bench.Goldens;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>An endless row of batches, for every side the same.</summary>
internal sealed class Batches(ModelSize size)
{
    private readonly GoldenRandom random = new(7);

    /// <summary>(B, T) token ids.</summary>
    public int[] Tokens { get; } = new int[size.Tokens];

    /// <summary>(B, T): the token that follows each.</summary>
    public int[] Targets { get; } = new int[size.Tokens];

    /// <summary>
    /// Draws the next batch. Each token is one of four that the one before allows: easy to learn, so that a falling
    /// loss shows that training works.
    /// </summary>
    public void Next()
    {
        int token = 0;
        for (int i = 0; i < Tokens.Length; i++)
        {
            if (i % size.Context == 0)
                token = random.Next(size.Vocabulary);
            Tokens[i] = token;
            token = (int)((3L * token + random.Next(4)) % size.Vocabulary);
            Targets[i] = token;
        }
    }
}
