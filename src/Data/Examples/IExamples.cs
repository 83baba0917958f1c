using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TinyLlm.Data;

/// <summary>
/// Token sequences of one length to learn from, numbered from 0. What a stage trains on differs only in what it scores:
/// pretraining every token, finetuning the assistant's.
/// </summary>
public interface IExamples
{
    /// <summary>T: tokens of an example.</summary>
    int Length { get; }

    /// <summary>
    /// Neighbouring examples of the order that belong together and go through the model at once, such as the two of a
    /// comparison or the answers to a prompt.
    /// </summary>
    int Together => 1;

    /// <summary>
    /// Whether an example may hold several documents, none of which sees another; see <see cref="ReadStarts"/>.
    /// </summary>
    bool IsPacked => false;

    /// <summary>Number of examples; an epoch visits each once.</summary>
    long Count { get; }

    /// <summary>Copies an example.</summary>
    /// <param name="epoch">Number of the epoch, from 0: the same examples may be cut a little differently in
    /// each.</param>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    /// <param name="tokens">(T): token ids; those behind the example's end are arbitrary valid ids.</param>
    /// <param name="targets">(T): the id that follows each token, or -1 where it is not scored.</param>
    void Read(long epoch, long index, Span<int> tokens, Span<int> targets);

    /// <summary>Where documents begin.</summary>
    /// <param name="epoch">As for <see cref="Read"/>.</param>
    /// <param name="index">As for <see cref="Read"/>.</param>
    /// <param name="starts">(T): for each token, the place in the example where its document begins.</param>
    void ReadStarts(long epoch, long index, Span<int> starts) => starts.Clear();

    /// <summary>The order in which training visits them: each once an epoch.</summary>
    IExampleOrder Order(ulong seed) => new ExampleOrder(Count, seed);

    /// <summary>
    /// Adds to a hash what tells these examples from others: all their tokens, where nothing shorter does.
    /// </summary>
    void AddTo(IncrementalHash hash)
    {
        int[] tokens = new int[Length], targets = new int[Length], starts = new int[Length];
        for (long i = 0; i < Count; i++)
        {
            Read(0, i, tokens, targets);
            hash.AppendData(MemoryMarshal.AsBytes<int>(tokens));
            hash.AppendData(MemoryMarshal.AsBytes<int>(targets));
            if (!IsPacked)
                continue;
            ReadStarts(0, i, starts);
            hash.AppendData(MemoryMarshal.AsBytes<int>(starts));
        }
    }
}
