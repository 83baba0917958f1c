namespace TinyLlm.Data.Sources;

/// <summary>A part of a file. A file that ends before the part does is an error.</summary>
/// <param name="inner">The open file, which can seek; the range closes it.</param>
/// <param name="file">What the file should be.</param>
/// <param name="start">First byte of the part.</param>
/// <param name="end">The byte after the last.</param>
internal sealed class RangeStream(Stream inner, SourceFile file, long start, long end) : ReadOnlyStream(inner)
{
    private long position = inner.Seek(start, SeekOrigin.Begin);

    public override bool CanSeek => false;

    public override long Length => end - start;

    public override long Position
    {
        get => position - start;
        set => throw new NotSupportedException();
    }

    /// <exception cref="TinyLlmException">The file cannot be read, or is shorter than it was.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (position == end || buffer.IsEmpty)
            return 0;
        int read = Inner.Read(buffer[..(int)Math.Min(buffer.Length, end - position)]);
        if (read == 0)
            throw file.Changed();
        position += read;
        return read;
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
}
