using System.Buffers;
using TinyLlm.Data.Sources;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Tokens;

/// <summary>Takes tokens.</summary>
internal delegate void TokenSink(ReadOnlySpan<int> tokens);

/// <summary>
/// Turns documents into one stream of tokens: what begins a document, and after each document what ends it and begins
/// the next, so that a model learns how a document begins as well as how it ends. Most tokenizers have one token for
/// both, the end of text.
/// </summary>
internal sealed class DocumentEncoder
{
    private readonly Tokenizer tokenizer;
    private readonly int[] between;
    private readonly ArrayBufferWriter<int> ids = new();

    /// <summary>Encodes with a tokenizer that no other thread uses.</summary>
    public DocumentEncoder(Tokenizer tokenizer)
    {
        this.tokenizer = tokenizer;
        between = tokenizer.DocumentStart == tokenizer.EndOfText ? [tokenizer.EndOfText]
            : [tokenizer.EndOfText, tokenizer.DocumentStart];
    }

    /// <summary>What the stream begins with.</summary>
    public void Begin(TokenSink sink) => sink([tokenizer.DocumentStart]);

    /// <summary>Encodes pieces of documents. Returns the documents that ended and the bytes of text.</summary>
    /// <exception cref="TinyLlmException">The tokenizer cannot write a document, or the source cannot be
    /// read.</exception>
    public (long Documents, long TextBytes) Encode(
        IEnumerable<TextPiece> pieces, TokenSink sink, CancellationToken stop)
    {
        long documents = 0, bytes = 0;
        foreach (var (text, endsDocument) in pieces)
        {
            stop.ThrowIfCancellationRequested();
            ids.ResetWrittenCount();
            tokenizer.Encode(text.Span, ids);
            sink(ids.WrittenSpan);
            bytes += text.Length;
            if (!endsDocument)
                continue;
            sink(between);
            documents++;
        }

        return (documents, bytes);
    }

    /// <summary>All units as one stream in memory.</summary>
    /// <exception cref="TinyLlmException">As <see cref="Encode"/>.</exception>
    public static TokenArray ToMemory(
        IEnumerable<SourceUnit> units, Tokenizer tokenizer, ReadReport report, CancellationToken stop)
    {
        var ids = new List<int>();
        var encoder = new DocumentEncoder(tokenizer);
        encoder.Begin(ids.AddRange);
        foreach (var unit in units)
            encoder.Encode(unit.Read(report), ids.AddRange, stop);
        return new TokenArray(ids.ToArray());
    }
}
