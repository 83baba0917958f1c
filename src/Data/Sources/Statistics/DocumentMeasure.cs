using System.Buffers.Binary;
using System.Security.Cryptography;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>What is counted of a document, or of the part of it that lies in a unit.</summary>
/// <param name="Bytes">Bytes of text.</param>
/// <param name="Characters">Unicode characters; a byte that begins none counts as one only if it is no continuation
/// byte.</param>
/// <param name="LineFeeds">Line feeds.</param>
/// <param name="EndsLine">Whether the last byte is a line feed.</param>
/// <param name="Tokens">Tokens, without the end of text; 0 without a tokenizer.</param>
/// <param name="Hash">128 bits of the SHA-256 of the text; of the hashes of its parts, where it lies in several
/// units.</param>
internal readonly record struct DocumentMeasure(
    long Bytes, long Characters, long LineFeeds, bool EndsLine, long Tokens, UInt128 Hash)
{
    /// <summary>Lines; the last needs no line feed.</summary>
    public long Lines => LineFeeds + (EndsLine ? 0 : 1);

    /// <summary>The measure of a document whose text goes on with <paramref name="next"/>.</summary>
    public DocumentMeasure Join(DocumentMeasure next)
    {
        Span<byte> hashes = stackalloc byte[32];
        BinaryPrimitives.WriteUInt128BigEndian(hashes, Hash);
        BinaryPrimitives.WriteUInt128BigEndian(hashes[16..], next.Hash);
        return new DocumentMeasure(
            Bytes + next.Bytes, Characters + next.Characters, LineFeeds + next.LineFeeds, next.EndsLine,
            Tokens + next.Tokens,
            BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(hashes)));
    }
}

/// <summary>Measures one document after another.</summary>
internal sealed class DocumentMeter(Tokenizer? tokenizer) : IDisposable
{
    private readonly IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long bytes, characters, lineFeeds, tokens;
    private bool endsLine;

    /// <summary>Whether a document has begun.</summary>
    public bool HasBegun => bytes > 0;

    /// <summary>Takes the next piece of the document.</summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        bytes += text.Length;
        foreach (byte b in text)
            characters += (b & 0xC0) != 0x80 ? 1 : 0;
        lineFeeds += text.Count((byte)'\n');
        endsLine = text[^1] == '\n';
        tokens += tokenizer?.Encode(text).Length ?? 0;
        sha.AppendData(text);
    }

    /// <summary>The measure of what was taken; the next piece begins another document.</summary>
    public DocumentMeasure Finish()
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        sha.GetHashAndReset(hash);
        var measure = new DocumentMeasure(
            bytes, characters, lineFeeds, endsLine, tokens, BinaryPrimitives.ReadUInt128BigEndian(hash));
        (bytes, characters, lineFeeds, tokens, endsLine) = (0, 0, 0, 0, false);
        return measure;
    }

    /// <inheritdoc/>
    public void Dispose() => sha.Dispose();
}
