namespace TinyLlm.Data.Sources;

/// <summary>A stream that reads from another, which it closes, and cannot be written.</summary>
/// <param name="inner">The other.</param>
internal abstract class ReadOnlyStream(Stream inner) : Stream
{
    /// <summary>The other stream.</summary>
    protected Stream Inner => inner;

    public override bool CanRead => true;

    public override bool CanWrite => false;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
