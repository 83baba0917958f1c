namespace TinyLlm.Data.Sources;

/// <summary>
/// A Parquet file as Parquet.Net gets it: to read at <see cref="Limit"/> or beyond is an error. The library takes the
/// end of a stream for bytes of 255, which in its metadata mean that more follows, and would read on for ever.
/// </summary>
/// <param name="inner">The file, which can seek; closed with this.</param>
internal sealed class ParquetStream(Stream inner) : ReadOnlyStream(inner)
{
    /// <summary>Where reading ends, in bytes from the start of the file.</summary>
    public long Limit { get; set; } = inner.Length;

    public override bool CanSeek => true;

    public override long Length => Inner.Length;

    public override long Position
    {
        get => Inner.Position;
        set => Inner.Position = value;
    }

    /// <exception cref="InvalidDataException">It begins at or beyond the limit.</exception>
    public override int Read(Span<byte> buffer)
    {
        long left = Limit - Inner.Position;
        if (left <= 0 && buffer.Length > 0)
            throw new InvalidDataException("its values go on where their bytes have ended");
        return Inner.Read(buffer[..(int)Math.Min(buffer.Length, left)]);
    }

    public override long Seek(long offset, SeekOrigin origin) => Inner.Seek(offset, origin);
}
