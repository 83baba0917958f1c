namespace TinyLlm.Bench.Training;

/// <summary>
/// Whether both sides train the same model: their losses, step by step. Both compute in single precision and add in
/// another order. AdamW divides each gradient by its own size, so that a gradient that is all rounding still moves its
/// weight by the learning rate: the first loss is the same but for its last digits, and then the weights drift apart,
/// fastest while training is turbulent.
/// </summary>
internal sealed class LossCheck
{
    private const double FirstTolerance = 1e-5, LastTolerance = 1e-3;

    /// <summary>What is allowed, for people.</summary>
    public static string Rule =>
        $"allowed: {FirstTolerance:0e-0} at the first step, doubling with each up to {LastTolerance:0e-0}";

    /// <summary>Steps compared so far.</summary>
    public int Steps { get; private set; }

    /// <summary>The largest difference so far, in nats.</summary>
    public double Largest { get; private set; }

    /// <summary>The first loss of all.</summary>
    public float First { get; private set; }

    /// <summary>The last loss of all.</summary>
    public float Last { get; private set; }

    /// <summary>Compares the steps that both sides have made since the last call.</summary>
    /// <exception cref="InvalidOperationException">They differ, or a loss is not finite.</exception>
    public void Compare(float[] ours, float[] theirs)
    {
        foreach (var (a, b) in ours.Zip(theirs))
        {
            double difference = Math.Abs((double)a - b),
                tolerance = Math.Min(LastTolerance, FirstTolerance * Math.Pow(2, Steps));
            if (!(difference <= tolerance))
            {
                throw new InvalidOperationException($"Step {Steps}: the loss is {a} for TinyLlm and {b} for libtorch; "
                    + $"expected at most {tolerance:E1} between them, so that both do the same work.");
            }

            (First, Last) = (Steps == 0 ? a : First, a);
            Largest = Math.Max(Largest, difference);
            Steps++;
        }
    }
}
