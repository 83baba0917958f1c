using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Turns the bytes of tokens, as they are generated, into text that can be shown at once. A character whose bytes are
/// spread over several tokens is held back until it is complete; bytes that can no longer become a character are given
/// as U+FFFD.
/// </summary>
/// <remarks>
/// A malformed sequence is replaced as Unicode recommends: one U+FFFD for each maximal part that begins like a
/// character, so that all the text given equals the decoding of all the bytes at once.
/// </remarks>
public sealed class Utf8Streamer
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();

    /// <summary>
    /// Takes the bytes of the next token and returns the text that became complete, which may be empty.
    /// </summary>
    public string Push(ReadOnlySpan<byte> bytes) => Convert(bytes, flush: false);

    /// <summary>
    /// Ends the text: what is still held back can no longer be completed. The next
    /// <see cref="Push(ReadOnlySpan{byte})"/> starts afresh.
    /// </summary>
    public string Flush() => Convert([], flush: true);

    /// <summary>
    /// Like <see cref="Push(ReadOnlySpan{byte})"/>, but writes the text to <paramref name="output"/> as valid UTF-8,
    /// whatever encoding the console believes in.
    /// </summary>
    public void Push(ReadOnlySpan<byte> bytes, Stream output) => output.Write(Encoding.UTF8.GetBytes(Push(bytes)));

    /// <summary>
    /// Like <see cref="Flush()"/>, but writes the text to <paramref name="output"/> as UTF-8 and flushes that.
    /// </summary>
    public void Flush(Stream output)
    {
        output.Write(Encoding.UTF8.GetBytes(Flush()));
        output.Flush();
    }

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var chars = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
        int count = decoder.GetChars(bytes, chars, flush);
        return new string(chars, 0, count);
    }
}
