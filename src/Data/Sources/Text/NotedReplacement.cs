using System.Text;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Replaces bytes that an encoding does not know by U+FFFD, as decoders do, and remembers that it had to.
/// </summary>
internal sealed class NotedReplacement : DecoderFallback
{
    private static readonly DecoderReplacementFallback Replacement = new("\uFFFD");

    /// <summary>Whether there were such bytes.</summary>
    public bool WasNeeded { get; private set; }

    public override int MaxCharCount => Replacement.MaxCharCount;

    public override DecoderFallbackBuffer CreateFallbackBuffer() =>
        new Buffer(this, Replacement.CreateFallbackBuffer());

    private sealed class Buffer(NotedReplacement owner, DecoderFallbackBuffer inner) : DecoderFallbackBuffer
    {
        public override int Remaining => inner.Remaining;

        public override bool Fallback(byte[] bytesUnknown, int index)
        {
            owner.WasNeeded = true;
            return inner.Fallback(bytesUnknown, index);
        }

        public override char GetNextChar() => inner.GetNextChar();

        public override bool MovePrevious() => inner.MovePrevious();

        public override void Reset() => inner.Reset();
    }
}
