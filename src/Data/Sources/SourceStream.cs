using ICSharpCode.SharpZipLib;
using ZstdSharp;

namespace TinyLlm.Data.Sources;

/// <summary>A file to read from, whose errors are one line for the user with the file's name.</summary>
/// <param name="inner">The file's bytes, or what decompresses them.</param>
/// <param name="path">The file.</param>
internal sealed class SourceStream(Stream inner, string path) : ReadOnlyStream(inner)
{
    public override bool CanSeek => Inner.CanSeek;

    public override long Length => Inner.Length;

    public override long Position
    {
        get => Inner.Position;
        set => Inner.Position = value;
    }

    /// <exception cref="TinyLlmException">The file cannot be read, or its compression is damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            return Inner.Read(buffer);
        }
        catch (Exception e) when (e is EndOfStreamException or SharpZipBaseException or ZstdException)
        {
            string reason = e.Message.ReplaceLineEndings(" ").TrimEnd('.');
            throw new TinyLlmException($"{path}: the compressed data is damaged or cut off ({reason}); expected a "
                + "whole file as its name says. Get the file again.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    // Parquet's reader asks this way; the call returns when the bytes are there.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Read(buffer.Span));

    public override long Seek(long offset, SeekOrigin origin) => Inner.Seek(offset, origin);
}
