namespace TinyLlm.Data.Sources;

/// <summary>
/// A piece of a document's text: UTF-8 or any bytes, at most about 1 MiB. Longer documents come in several pieces, cut
/// where <see cref="Tokenizers.TextCut"/> allows, so that each can be tokenized alone.
/// </summary>
/// <param name="Bytes">The text; valid until the next piece of the unit is asked for.</param>
/// <param name="EndsDocument">Whether the document ends with this piece.</param>
public readonly record struct TextPiece(ReadOnlyMemory<byte> Bytes, bool EndsDocument);
