using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>How sources are read.</summary>
/// <param name="TextField">The field of a JSON line, or the column of a Parquet file, that holds the text.</param>
/// <param name="Encoding">The encoding of text without a byte order mark, by its name; null: bytes are taken as they
/// are.</param>
/// <param name="Strict">Whether a bad line ends the reading with an error; otherwise it is left out and
/// reported.</param>
/// <param name="DocumentSeparator">Ends a document of a text file where it stands alone on a line; null: a text file is
/// one document.</param>
public sealed record SourceOptions(
    string TextField = "text", string? Encoding = null, bool Strict = false, string? DocumentSeparator = null)
{
    /// <summary>Where long documents are cut into pieces: as the tokenizer that takes them allows.</summary>
    public TextCut Cut { get; init; } = TextCut.Any;
}
