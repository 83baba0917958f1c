namespace TinyLlm.Data;

/// <summary>A row as JSON text, whatever the format of its file.</summary>
/// <param name="Place">Where it stands.</param>
/// <param name="Json">UTF-8; valid until the next row is asked for.</param>
/// <param name="FirstLine">The line of the file where the text begins; 0 where a row is a line, or the file has
/// none.</param>
/// <param name="Others">Columns of its table that no kind of row has; they are not in the text.</param>
internal readonly record struct RowText(RowPlace Place, ReadOnlyMemory<byte> Json, long FirstLine,
    IReadOnlyList<string> Others);
