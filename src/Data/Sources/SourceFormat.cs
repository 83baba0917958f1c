namespace TinyLlm.Data.Sources;

/// <summary>What a file holds.</summary>
internal enum Content
{
    /// <summary>One document of text.</summary>
    Text,

    /// <summary>A JSON object a line, with the text in one of its fields.</summary>
    JsonLines,

    /// <summary>A table with the text in one of its columns.</summary>
    Parquet,

    /// <summary>Token ids: llm.c's or nanoGPT's .bin.</summary>
    Tokens,
}

/// <summary>How a file is compressed as a whole.</summary>
internal enum Compression
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>RFC 1952, one or more members.</summary>
    Gzip,

    /// <summary>RFC 8878, one or more frames.</summary>
    Zstandard,
}

/// <summary>The format of a file, which its name tells.</summary>
/// <param name="Content">What it holds.</param>
/// <param name="Compression">How it is compressed.</param>
/// <param name="IsKnown">Whether the name ends as one of the known kinds does; other files are text if they are named
/// themselves.</param>
internal readonly record struct SourceFormat(Content Content, Compression Compression, bool IsKnown)
{
    /// <summary>Whether it is one JSON value, or any number of them, which pretraining takes for text and which may be
    /// rows.</summary>
    public bool IsJson { get; init; }

    private static readonly HashSet<string> TextExtensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".log", ".csv", ".tsv", ".html", ".htm", ".xml", ".json",
            ".yaml", ".yml", ".toml", ".ini",
        ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".cs", ".fs", ".java", ".kt", ".scala", ".swift", ".go", ".rs",
        ".zig", ".py", ".js", ".ts", ".jsx", ".tsx", ".css",
        ".php", ".rb", ".pl", ".lua", ".r", ".jl", ".hs", ".ml", ".sh", ".ps1", ".sql", ".srt",
    };

    /// <summary>What the manual and error messages call the known kinds.</summary>
    public const string KnownKinds = "text (.txt, .md, source code, ...), .jsonl or .parquet, each also .gz or .zst";

    /// <summary>The format by the end of the name.</summary>
    public static SourceFormat Of(string path)
    {
        string extension = Path.GetExtension(path);
        Compression compression = Is(extension, ".gz") ? Compression.Gzip
            : Is(extension, ".zst") ? Compression.Zstandard : Compression.None;
        if (compression != Compression.None)
            extension = Path.GetExtension(path[..^extension.Length]);

        if (Is(extension, ".jsonl") || Is(extension, ".ndjson"))
            return new SourceFormat(Content.JsonLines, compression, IsKnown: true);
        if (Is(extension, ".parquet"))
            return new SourceFormat(Content.Parquet, compression, IsKnown: true);
        if (Is(extension, ".bin") && compression == Compression.None)
            return new SourceFormat(Content.Tokens, compression, IsKnown: true);
        return new SourceFormat(Content.Text, compression, TextExtensions.Contains(extension))
        {
            IsJson = Is(extension, ".json"),
        };
    }

    private static bool Is(string extension, string expected) =>
        extension.Equals(expected, StringComparison.OrdinalIgnoreCase);
}
