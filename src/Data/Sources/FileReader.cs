namespace TinyLlm.Data.Sources;

/// <summary>Reads the documents of a file, whole or in parts.</summary>
internal abstract class FileReader(SourceFile file, SourceOptions options)
{
    /// <summary>The file.</summary>
    public SourceFile File { get; } = file;

    /// <summary>How it is read.</summary>
    protected SourceOptions Options { get; } = options;

    /// <summary>The reader for a file's format.</summary>
    public static FileReader For(SourceFile file, SourceOptions options) => file.Format.Content switch
    {
        Content.JsonLines => new JsonLinesReader(file, options),
        Content.Parquet => new ParquetFileReader(file, options),
        _ when options.DocumentSeparator is { } separator => new SeparatedTextReader(file, options, separator),
        _ => new TextFileReader(file, options),
    };

    /// <summary>Parts of about <paramref name="bytes"/> bytes on disk, which together are the file.</summary>
    public abstract IEnumerable<FilePart> Cut(long bytes);

    /// <summary>The text of a part.</summary>
    public abstract IEnumerable<TextPiece> Read(FilePart part, ReadReport report);

    /// <summary>A part's name for messages.</summary>
    public abstract string Describe(FilePart part);
}
