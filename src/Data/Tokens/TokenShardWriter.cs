using System.Buffers.Binary;
using System.IO.Hashing;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// Writes one shard through a small buffer; the file has a temporary name until <see cref="Complete"/>.
/// </summary>
internal sealed class TokenShardWriter : IDisposable
{
    private const int BufferTokens = 1 << 16;

    private readonly string path;
    private readonly int width;
    private readonly byte[] tokenizerHash, buffer;
    private readonly XxHash128 hash = new();
    private readonly FileStream file;
    private int used;
    private bool completed;

    /// <summary>Begins a shard.</summary>
    /// <param name="path">Its final name.</param>
    /// <param name="width">Bytes of a token, 2 or 4.</param>
    /// <param name="tokenizerHash">SHA-256 of the tokenizer.</param>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public TokenShardWriter(string path, int width, byte[] tokenizerHash)
    {
        (this.path, this.width, this.tokenizerHash) = (path, width, tokenizerHash);
        buffer = new byte[BufferTokens * width];
        try
        {
            file = new FileStream(
                path + AtomicFile.TemporarySuffix, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            file.Write(new byte[ShardHeader.Size]);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            file?.Dispose();
            throw FileErrors.Writing(path, e, kept: false);
        }
    }

    /// <summary>Tokens written so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>Appends tokens.</summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public void Write(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if (used == buffer.Length)
                Flush();
            var place = buffer.AsSpan(used);
            if (width == 2)
                BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)token);
            else
                BinaryPrimitives.WriteInt32LittleEndian(place, token);
            used += width;
        }

        Tokens += tokens.Length;
    }

    /// <summary>Writes the header, flushes to the disk and gives the shard its name.</summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public ShardHeader Complete(long documents, long textBytes, long badLines)
    {
        Flush();
        var header =
            new ShardHeader(width, Tokens, documents, textBytes, badLines, hash.GetCurrentHash(), tokenizerHash);
        try
        {
            file.Position = 0;
            file.Write(header.ToBytes());
            file.Flush(flushToDisk: true);
            file.Dispose();
            File.Move(path + AtomicFile.TemporarySuffix, path, overwrite: true);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Writing(path, e, kept: false);
        }

        completed = true;
        return header;
    }

    /// <summary>Closes the file; one that was not completed is removed.</summary>
    public void Dispose()
    {
        file.Dispose();
        if (completed)
            return;
        try
        {
            File.Delete(path + AtomicFile.TemporarySuffix);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            // What stays behind has a temporary name, and the next run replaces it.
        }
    }

    private void Flush()
    {
        var bytes = buffer.AsSpan(0, used);
        hash.Append(bytes);
        try
        {
            file.Write(bytes);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Writing(path, e, kept: false);
        }

        used = 0;
    }
}
