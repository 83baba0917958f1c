using System.Buffers;
using System.Text;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Text to token ids and back. Text is bytes, so that any file round-trips; ids are dense from 0, the special tokens are the last
/// three. Encoding never yields a special token, whatever the text says: only the program itself places those.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>How the special tokens are written, in the order of their ids: end of text, start and end of a chat turn.</summary>
    public static readonly IReadOnlyList<string> SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

    /// <summary>What <c>--tokenizer</c> calls this kind: bpe, byte or char.</summary>
    public abstract string Kind { get; }

    /// <summary>Number of token ids, the special tokens included.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Id of <c>&lt;|endoftext|&gt;</c>: it ends each document.</summary>
    public int EndOfText => VocabularySize - 3;

    /// <summary>Id of <c>&lt;|im_start|&gt;</c>: it begins each chat turn.</summary>
    public int TurnStart => VocabularySize - 2;

    /// <summary>Id of <c>&lt;|im_end|&gt;</c>: it ends each chat turn.</summary>
    public int TurnEnd => VocabularySize - 1;

    /// <summary>Whether a generated id ends a text: the end of the document or of the turn, or padding that no token has.</summary>
    public bool EndsText(int id) => id == EndOfText || id >= TurnEnd;

    /// <summary>Encodes text, any bytes for the byte-level kinds. For several threads at once see <see cref="ForAnotherThread"/>.</summary>
    /// <exception cref="TinyLlmException">The kind cannot write this text (char: a character it does not know, or invalid UTF-8).</exception>
    public abstract int[] Encode(ReadOnlySpan<byte> text);

    /// <summary>The bytes of one token; those of a special token are its name in UTF-8.</summary>
    /// <exception cref="TinyLlmException">The id is not in the vocabulary.</exception>
    public abstract ReadOnlySpan<byte> TokenBytes(int id);

    /// <summary>The same tokenizer for use on another thread at the same time: this one where encoding changes nothing, else a new one.</summary>
    public virtual Tokenizer ForAnotherThread() => this;

    /// <summary>Writes this tokenizer as Hugging Face's <c>tokenizer.json</c> and <c>tokenizer_config.json</c> into a folder.</summary>
    public abstract void Save(string folder);

    /// <summary>Decodes ids to bytes.</summary>
    /// <exception cref="TinyLlmException">An id is not in the vocabulary.</exception>
    public byte[] Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new ArrayBufferWriter<byte>();
        foreach (int id in ids)
            bytes.Write(TokenBytes(id));
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Encodes a string as its UTF-8 bytes.</summary>
    public int[] Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>The names of the special tokens in UTF-8, in the order of their ids.</summary>
    private protected static IEnumerable<byte[]> SpecialTokenBytes() => SpecialTokens.Select(Encoding.UTF8.GetBytes);

    /// <summary>What <see cref="TokenBytes"/> throws.</summary>
    private protected TinyLlmException UnknownId(int id) =>
        new($"Token id {id} is not in the vocabulary; expected 0 to {VocabularySize - 1}; the ids were written by another tokenizer.");
}
