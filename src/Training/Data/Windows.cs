using TinyLlm.Kernels;

namespace TinyLlm.Training.Data;

/// <summary>
/// A stream of tokens, cut into windows of T + 1: T tokens and, one further, their targets. Neighbouring windows share one token, so each token
/// of the stream but the first is a target exactly once.
/// </summary>
public sealed class Windows : IExamples
{
    private readonly ReadOnlyMemory<int> stream;

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
    }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count { get; }

    /// <inheritdoc/>
    public void Read(long index, Span<int> tokens, Span<int> targets)
    {
        var window = stream.Span[(int)(index * Length)..];
        int count = Math.Min(Length, window.Length - 1);
        window[..count].CopyTo(tokens);
        window.Slice(1, count).CopyTo(targets);
        tokens[count..].Clear();
        targets[count..].Fill(-1);
    }
}
