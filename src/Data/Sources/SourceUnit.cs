namespace TinyLlm.Data.Sources;

/// <summary>A unit of work: some of a source's input, which one worker reads from its beginning to its end.</summary>
public sealed class SourceUnit
{
    private readonly Func<ReadReport, IEnumerable<TextPiece>> read;

    internal SourceUnit(string name, long bytes, Func<ReadReport, IEnumerable<TextPiece>> read)
    {
        Name = name;
        Bytes = bytes;
        this.read = read;
    }

    /// <summary>The file, and the part of it, for messages.</summary>
    public string Name { get; }

    /// <summary>Size of the input in bytes, on disk where it is a file.</summary>
    public long Bytes { get; }

    /// <summary>
    /// Reads the text piece by piece in constant memory. A document may go on in the next unit: then its last piece
    /// here does not end it.
    /// </summary>
    /// <param name="report">Counts what was read.</param>
    /// <exception cref="TinyLlmException">A file cannot be read or changed in the meantime.</exception>
    public IEnumerable<TextPiece> Read(ReadReport report) => read(report);
}
