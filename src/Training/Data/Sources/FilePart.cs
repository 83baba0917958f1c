namespace TinyLlm.Training.Data.Sources;

/// <summary>A part of a file that belongs to one unit.</summary>
/// <param name="File">The file.</param>
/// <param name="Start">Where the part begins, in bytes on disk; the reader moves it to the next place where the format can be cut.</param>
/// <param name="End">Where it ends; moved likewise.</param>
internal readonly record struct FilePart(SourceFile File, long Start, long End)
{
    /// <summary>The size in bytes on disk.</summary>
    public long Length => End - Start;

    /// <summary>Whether the part is all of its file.</summary>
    public bool IsWhole => Start == 0 && End == File.Length;

    /// <summary>The file, with the range if it is not whole.</summary>
    public override string ToString() => IsWhole ? File.Path : $"{File.Path}, bytes {Start:N0} to {End:N0}";

    /// <summary>The text of the part.</summary>
    public IEnumerable<TextPiece> Read(SourceOptions options, ReadReport report) => TextFiles.Read(this, options, report);
}
