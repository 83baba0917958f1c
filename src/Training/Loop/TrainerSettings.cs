using TinyLlm.Kernels;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Training;

/// <summary>How a model is trained: what the loop and the optimiser need to know, for every stage.</summary>
public sealed record TrainerSettings
{
    /// <summary>Rows of a batch.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>
    /// Batches of an optimiser step: a step learns from BatchSize * Accumulate rows, as if they were one batch.
    /// </summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>
    /// Rows that go through the model at once, a divisor of <see cref="BatchSize"/>; 0 for as many as fit into memory.
    /// </summary>
    public int MicroBatch { get; init; }

    /// <summary>
    /// Whether a <see cref="MicroBatch"/> that does not fit gives way to one that does, as in a resumed run; else the
    /// run is refused.
    /// </summary>
    public bool MicroBatchMayChange { get; init; }

    /// <summary>
    /// Whether the backward pass computes each block's activations once more, so that they need not be kept. It changes
    /// no bit.
    /// </summary>
    public bool Recompute { get; init; }

    /// <summary>The learning rate at each step, and the number of steps.</summary>
    public required Schedule Schedule { get; init; }

    /// <summary>Muon's constants, where the matrices are trained by it; none for AdamW everywhere.</summary>
    public MuonSettings? Muon { get; init; }

    /// <summary>AdamW's constants; weight decay and clipping are Muon's too.</summary>
    public AdamWSettings AdamW { get; init; } = new(0.9f, 0.95f, 1e-8f, 0.1f, 1f);

    /// <summary>Seed of the initial weights, the order of the data and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between evaluations; 0 for one at the end only.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>Steps between samples; 0 for none.</summary>
    public int SampleEvery { get; init; }

    /// <summary>Steps between checkpoints; 0 for one at the end only.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>
    /// Minutes after a checkpoint, or the start, after which another is due whatever the step; 0 for never.
    /// </summary>
    public double CheckpointMinutes { get; init; }

    /// <summary>How many checkpoints are kept, at least 1.</summary>
    public int Keep { get; init; } = 1;

    /// <summary>Steps between lines of the log.</summary>
    public int LogEvery { get; init; } = 10;

    /// <summary>Steps after which to pause, without moving the schedule; 0 for never.</summary>
    public int StopAfter { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="TinyLlmException">One is out of range; the line names its option.</exception>
    public void Validate()
    {
        Schedule.Validate();
        AtLeast("--batch-size", BatchSize, 1);
        AtLeast("--accumulate", Accumulate, 1);
        if ((long)Accumulate * BatchSize > int.MaxValue)
        {
            throw new TinyLlmException($"--accumulate {Accumulate}: expected at most {int.MaxValue / BatchSize} with "
                + $"--batch-size {BatchSize}.");
        }

        AtLeast("--micro-batch", MicroBatch, 0);
        if (MicroBatch > 0 && BatchSize % MicroBatch != 0)
        {
            throw new TinyLlmException($"--micro-batch {MicroBatch} does not divide --batch-size {BatchSize}; "
                + "expected 0 (as many rows as fit) or a divisor, " +
                $"such as {Divisors(BatchSize).First(d => d <= MicroBatch)}.");
        }

        AtLeast("--eval-every", EvaluateEvery, 0);
        AtLeast("--sample-every", SampleEvery, 0);
        AtLeast("--checkpoint-every", CheckpointEvery, 0);
        Within("--checkpoint-minutes", CheckpointMinutes, CheckpointMinutes >= 0
            && double.IsFinite(CheckpointMinutes), "0 (off) or more");
        AtLeast("--keep", Keep, 1);
        AtLeast("--stop-after", StopAfter, 0);
        if (Muon is { } muon)
        {
            Within("--muon-lr", muon.LearningRate, muon.LearningRate > 0
                && float.IsFinite((float)muon.LearningRate), "a number above 0, such as 0.025");
        }

        Within("--beta1", AdamW.Beta1, AdamW.Beta1 is >= 0 and < 1, "0 or more and less than 1");
        Within("--beta2", AdamW.Beta2, AdamW.Beta2 is >= 0 and < 1, "0 or more and less than 1");
        Within("--weight-decay", AdamW.WeightDecay, AdamW.WeightDecay is >= 0 and < float.PositiveInfinity,
            "0 or more");
        Within("--clip", AdamW.Clip, AdamW.Clip is >= 0 and < float.PositiveInfinity, "0 (off) or more");
    }

    /// <summary>The divisors of <paramref name="n"/>, the largest first.</summary>
    internal static IEnumerable<int> Divisors(int n) =>
        Enumerable.Range(1, (int)Math.Sqrt(n)).Where(d => n % d == 0).SelectMany(d => new[] { d, n / d }).Distinct()
        .OrderDescending();

    private static void AtLeast(string option, int value, int least)
    {
        if (value < least)
            throw new TinyLlmException($"{option} {value}: expected {least} or more.");
    }

    private static void Within<T>(string option, T value, bool holds, string expected)
    {
        if (!holds)
            throw new TinyLlmException($"{option} {value}: expected {expected}.");
    }
}
