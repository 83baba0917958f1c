namespace TinyLlm.Training.Data;

/// <summary>
/// Token sequences of one length to learn from, numbered from 0. What a stage trains on differs only in what it scores: pretraining
/// every token, finetuning the assistant's.
/// </summary>
public interface IExamples
{
    /// <summary>T: tokens of an example.</summary>
    int Length { get; }

    /// <summary>Number of examples; an epoch visits each once.</summary>
    long Count { get; }

    /// <summary>Copies an example.</summary>
    /// <param name="epoch">Number of the epoch, from 0: the same examples may be cut a little differently in each.</param>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    /// <param name="tokens">(T): token ids; those behind the example's end are arbitrary valid ids.</param>
    /// <param name="targets">(T): the id that follows each token, or -1 where it is not scored.</param>
    void Read(long epoch, long index, Span<int> tokens, Span<int> targets);
}
