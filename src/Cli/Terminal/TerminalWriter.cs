using System.Text;

namespace TinyLlm.Cli.Terminal;

/// <summary>Writes to a terminal, and to nobody once it is gone.</summary>
/// <param name="terminal">The terminal.</param>
internal sealed class TerminalWriter(TextWriter terminal) : TextWriter
{
    private bool gone;

    /// <inheritdoc/>
    public override Encoding Encoding => terminal.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Try(() => terminal.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Try(() => terminal.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Try(() => terminal.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Try(() => terminal.WriteLine(value));

    /// <inheritdoc/>
    public override void Flush() => Try(terminal.Flush);

    private void Try(Action write)
    {
        if (gone)
            return;
        try
        {
            write();
        }
        catch (IOException)
        {
            gone = true;
        }
    }
}

/// <summary>The bytes of a <see cref="TerminalWriter"/>.</summary>
/// <param name="terminal">The terminal.</param>
internal sealed class TerminalStream(Stream terminal) : Stream
{
    private bool gone;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        if (gone)
            return;
        try
        {
            terminal.Write(buffer, offset, count);
        }
        catch (IOException)
        {
            gone = true;
        }
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
