namespace TinyLlm.Data.Sources;

/// <summary>A part of a file that belongs to one unit.</summary>
/// <param name="Reader">Reads the file.</param>
/// <param name="Start">Where the part begins, in what the reader counts: bytes or row groups.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Bytes">Its size in bytes on disk.</param>
internal readonly record struct FilePart(FileReader Reader, long Start, long End, long Bytes)
{
    /// <summary>The file, with the range if the part is not all of it.</summary>
    public override string ToString() => Reader.Describe(this);
}
