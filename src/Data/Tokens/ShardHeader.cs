using System.Buffers.Binary;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// The first <see cref="Size"/> bytes of a shard of tokens; what follows are its token ids, little-endian.
/// <c>docs/formats.md</c> has the layout.
/// </summary>
/// <param name="Width">Bytes of a token: 2 where the vocabulary has at most 65,536 ids, else 4.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Documents">Number of documents that end in it.</param>
/// <param name="TextBytes">Bytes of text that it was made of.</param>
/// <param name="BadLines">Lines of its source that were left out.</param>
/// <param name="Checksum">XXH128 of the tokens' bytes, 16 bytes.</param>
/// <param name="TokenizerHash">SHA-256 of the tokenizer, 32 bytes.</param>
internal sealed record ShardHeader(
    int Width, long Tokens, long Documents, long TextBytes, long BadLines, byte[] Checksum, byte[] TokenizerHash)
{
    /// <summary>Bytes of the header.</summary>
    public const int Size = 128;

    /// <summary>The version that this program reads and writes.</summary>
    public const int Version = 1;

    private static ReadOnlySpan<byte> Magic => "TLTOKENS"u8;

    /// <summary>The length of the whole file.</summary>
    public long FileLength => Size + Tokens * Width;

    /// <summary>The header's bytes.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Width);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Tokens);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), Documents);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), TextBytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), BadLines);
        Checksum.CopyTo(bytes, 48);
        TokenizerHash.CopyTo(bytes, 64);
        return bytes;
    }

    /// <summary>Reads a header; null and the reason where these bytes are none that this program understands.</summary>
    public static ShardHeader? Parse(ReadOnlySpan<byte> bytes, out string reason)
    {
        reason = "";
        if (bytes.Length < Size || !bytes.StartsWith(Magic))
        {
            reason = "it does not begin as a shard of tokens";
            return null;
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        var header = new ShardHeader(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[40..]),
            bytes[48..64].ToArray(), bytes[64..96].ToArray());
        if (version != Version)
            reason = $"it has version {version}; expected {Version}";
        else if (header.Width is not (2 or 4) || header.Tokens < 0 || header.Tokens > long.MaxValue / 8)
            reason = $"its header is damaged ({header.Tokens} tokens of {header.Width} bytes)";
        return reason.Length == 0 ? header : null;
    }
}
