using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Reads bytes as blocks of valid text, in UTF-16, and the invalid bytes between them. Blocks end where the pre-tokens
/// of the whole text do, so that long text needs little memory and each block can be handled alone.
/// </summary>
internal ref struct Utf8Blocks
{
    // Large enough that the cost per block vanishes, small enough to stay in the cache.
    private const int BlockBytes = 64 * 1024;

    private readonly TextCut cuts;
    private ReadOnlySpan<byte> block, rest;
    private char[] buffer = [];

    /// <summary>
    /// Starts to read <paramref name="bytes"/>; <paramref name="cuts"/> says where blocks may end, null: as for
    /// tokenizers without added tokens that are text.
    /// </summary>
    public Utf8Blocks(ReadOnlySpan<byte> bytes, TextCut? cuts = null)
    {
        rest = bytes;
        this.cuts = cuts ?? TextCut.Any;
    }

    /// <summary>
    /// The text of the block that was read, empty where it was invalid. The next <see cref="Read"/> overwrites it.
    /// </summary>
    public ReadOnlySpan<char> Text { get; private set; }

    /// <summary>The bytes that belong to no valid character, empty where the block was text.</summary>
    public ReadOnlySpan<byte> Invalid { get; private set; }

    /// <summary>Reads on; false at the end.</summary>
    public bool Read()
    {
        if (block.IsEmpty)
            Refill();
        if (block.IsEmpty)
            return false;

        Utf8.ToUtf16(block, buffer, out int bytes, out int chars, replaceInvalidSequences: false);
        Text = buffer.AsSpan(0, chars);
        Invalid = default;
        if (bytes == 0)
        {
            Rune.DecodeFromUtf8(block, out _, out bytes);
            Invalid = block[..bytes];
        }

        block = block[bytes..];
        return true;
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose()
    {
        if (buffer.Length > 0)
            ArrayPool<char>.Shared.Return(buffer);
        buffer = [];
    }

    private void Refill()
    {
        int length = Math.Min(rest.Length, BlockBytes);
        while (length < rest.Length)
        {
            int cut = cuts.Last(rest[..length]);
            if (cut > 0)
            {
                length = cut;
                break;
            }

            length = (int)Math.Min(rest.Length, 2L * length);
        }

        block = rest[..length];
        rest = rest[length..];
        if (buffer.Length < length) // a valid character never has more UTF-16 units than bytes
        {
            Dispose();
            buffer = ArrayPool<char>.Shared.Rent(length);
        }
    }
}
