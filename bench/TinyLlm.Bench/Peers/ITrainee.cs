namespace TinyLlm.Bench.Peers;

/// <summary>A model in training, whoever wrote it. All that are timed together get the same batches, in turn.</summary>
internal interface ITrainee : IDisposable
{
    /// <summary>
    /// One optimizer step on token ids and targets, both (B, T) row by row. Returns the mean cross-entropy before the
    /// step.
    /// </summary>
    float Step(int[] tokens, int[] targets);
}
