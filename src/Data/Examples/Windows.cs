using System.Security.Cryptography;
using TinyLlm.Data.Tokens;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>
/// A stream of tokens, cut into windows of T + 1: T tokens and, one further, their targets. Neighbouring windows share
/// one token, so each token of the stream but the first is a target exactly once, unless it is one that is never
/// scored.
/// </summary>
/// <remarks>
/// A token that only begins documents is never a target, neither in evaluation nor in training: what follows the end of
/// a document is no matter of the text. Published models never learned it, their perplexities leave it out, and no text
/// that is generated goes that far.
/// <para/>
/// For training, each epoch cuts the stream at other places: its windows begin some tokens later, as far as the
/// stream's end allows. A model that sees a text several times then meets a token at several positions and behind
/// several contexts.
/// </remarks>
public sealed class Windows : IExamples
{
    // With this many windows one of them is given up, so that there is room to shift the others by a whole window.
    private const int ManyWindows = 64;

    private readonly ITokens stream;
    private readonly long room; // tokens by which the windows can be shifted
    private readonly int? unscored;

    /// <summary>Cuts a stream.</summary>
    /// <param name="stream">Token ids.</param>
    /// <param name="length">T.</param>
    /// <param name="keepRest">
    /// Whether a last window that is not full counts, its missing targets unscored: evaluation sees every token,
    /// training only full windows.
    /// </param>
    /// <param name="what">What messages call the data.</param>
    /// <param name="unscored">
    /// A token that is never a target, such as <see cref="Tokenizer.BeginOfText"/>; null for none.
    /// </param>
    /// <exception cref="TinyLlmException">The stream is too short.</exception>
    public Windows(ITokens stream, int length, bool keepRest, string what, int? unscored = null)
    {
        int least = keepRest ? 2 : length + 1;
        if (stream.Count < least)
        {
            throw new TinyLlmException($"The {what} data has {stream.Count} tokens; expected at least {least}" +
                (keepRest ? "." : $", one more than --context {length}. Give more text or a shorter context."));
        }

        (this.stream, this.unscored) = (stream, unscored);
        Length = length;
        Count = keepRest ? (stream.Count - 2) / length + 1 : (stream.Count - 1) / length;
        if (keepRest)
            return;
        if (Count >= ManyWindows)
            Count--;
        room = stream.Count - 1 - Count * length;
    }

    /// <summary>Cuts tokens in memory.</summary>
    /// <exception cref="TinyLlmException">There are too few.</exception>
    public Windows(ReadOnlyMemory<int> tokens, int length, bool keepRest, string what, int? unscored = null)
        : this(new TokenArray(tokens), length, keepRest, what, unscored)
    {
    }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count { get; }

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        long start = Shift(epoch) + index * Length;
        int count = (int)Math.Min(Length, stream.Count - 1 - start);
        stream.Read(start, tokens[..count]);
        tokens[1..count].CopyTo(targets);
        stream.Read(start + count, targets.Slice(count - 1, 1));
        tokens[count..].Clear();
        targets[count..].Fill(-1);
        if (unscored is int id)
            targets[..count].Replace(id, -1);
    }

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash)
    {
        hash.AppendData(BitConverter.GetBytes(Length));
        stream.AddTo(hash);
    }

    // Multiples of the golden ratio, modulo 1, spread evenly however many epochs there are; the first epoch begins at
    // the beginning.
    private long Shift(long epoch) => (long)((ulong)(uint)(epoch * 2654435769) * (ulong)(room + 1) >> 32);
}
