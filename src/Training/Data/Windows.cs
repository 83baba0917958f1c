using TinyLlm.Kernels;

namespace TinyLlm.Training.Data;

/// <summary>
/// A stream of tokens, cut into windows of T + 1: T tokens and, one further, their targets. Neighbouring windows share one token, so each token
/// of the stream but the first is a target exactly once.
/// </summary>
/// <remarks>
/// For training, each epoch cuts the stream at other places: its windows begin some tokens later, as far as the stream's end allows. A model that
/// sees a text several times then meets a token at several positions and behind several contexts.
/// </remarks>
public sealed class Windows : IExamples
{
    // With this many windows one of them is given up, so that there is room to shift the others by a whole window.
    private const int ManyWindows = 64;

    private readonly ReadOnlyMemory<int> stream;
    private readonly int room; // tokens by which the windows can be shifted

    /// <summary>Cuts a stream.</summary>
    /// <param name="stream">Token ids.</param>
    /// <param name="length">T.</param>
    /// <param name="keepRest">
    /// Whether a last window that is not full counts, its missing targets unscored: evaluation sees every token, training only full windows.
    /// </param>
    /// <param name="what">What messages call the data.</param>
    /// <exception cref="TinyLlmException">The stream is too short.</exception>
    public Windows(ReadOnlyMemory<int> stream, int length, bool keepRest, string what)
    {
        int least = keepRest ? 2 : length + 1;
        if (stream.Length < least)
        {
            throw new TinyLlmException($"The {what} data has {stream.Length} tokens; expected at least {least}" +
                (keepRest ? "." : $", one more than --context {length}. Give more text or a shorter context."));
        }

        this.stream = stream;
        Length = length;
        Count = keepRest ? (stream.Length - 2) / length + 1 : (stream.Length - 1) / length;
        if (keepRest)
            return;
        if (Count >= ManyWindows)
            Count--;
        room = (int)(stream.Length - 1 - Count * length);
    }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count { get; }

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        var window = stream.Span[(int)(Shift(epoch) + index * Length)..];
        int count = Math.Min(Length, window.Length - 1);
        window[..count].CopyTo(tokens);
        window.Slice(1, count).CopyTo(targets);
        tokens[count..].Clear();
        targets[count..].Fill(-1);
    }

    // Multiples of the golden ratio, modulo 1, spread evenly however many epochs there are; the first epoch begins at the beginning.
    private int Shift(long epoch) => (int)((ulong)(uint)(epoch * 2654435769) * (ulong)(room + 1) >> 32);
}
