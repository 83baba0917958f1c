using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Text to token ids and back. Text is bytes, so that any file round-trips; every id from 0 on is an ordinary token or
/// an added one (<see cref="Tokenizers.AddedTokens"/>). Encoding yields no added token but those that stand for text,
/// whatever the text says, unless the caller allows it.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>
    /// The tokens that our own kinds add behind all others, in the order of their ids: end of text, start and end of a
    /// chat turn.
    /// </summary>
    public static readonly IReadOnlyList<string> SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

    private readonly byte[][] tokens;
    private string? hash;

    /// <summary>
    /// Takes the ordinary tokens by id (those at the ids of added tokens are not looked at) and the added ones.
    /// </summary>
    /// <exception cref="ArgumentException">An id has no token.</exception>
    private protected Tokenizer(IReadOnlyList<byte[]?> ordinary, AddedTokens added)
    {
        AddedTokens = added;
        tokens = new byte[Math.Max(ordinary.Count, added.Items[^1].Id + 1)][];
        for (int id = 0; id < tokens.Length; id++)
        {
            tokens[id] = added.Find(id) is { } token ? Encoding.UTF8.GetBytes(token.Text)
                : (id < ordinary.Count ? ordinary[id] : null)
                    ?? throw new ArgumentException($"Id {id} has no token.", nameof(ordinary));
        }
    }

    /// <summary>Shares the tokens of another tokenizer.</summary>
    private protected Tokenizer(Tokenizer other) =>
        (tokens, AddedTokens, Notes) = (other.tokens, other.AddedTokens, other.Notes);

    /// <summary>What <c>--tokenizer</c> calls this kind: bpe, byte, char or word.</summary>
    public abstract string Kind { get; }

    /// <summary>The tokens that text is not cut into, and which of them mark documents and turns.</summary>
    public AddedTokens AddedTokens { get; private set; }

    /// <summary>Where long text can be cut into pieces that are encoded alone, with the same ids.</summary>
    public TextCut Cut => AddedTokens.Cut;

    /// <summary>What the files said that lay beside the vocabulary: saving writes it again.</summary>
    public TokenizerNotes Notes { get; private set; } = TokenizerNotes.None;

    /// <summary>Number of token ids, the added tokens included.</summary>
    public int VocabularySize => tokens.Length;

    /// <summary>
    /// Id of the token that ends each document: <c>&lt;|endoftext|&gt;</c>, Llama 3's <c>&lt;|end_of_text|&gt;</c>.
    /// </summary>
    public int EndOfText => AddedTokens.EndOfText;

    /// <summary>
    /// Id of the token that begins each document: Llama 3's <c>&lt;|begin_of_text|&gt;</c>; elsewhere the end of the
    /// document before.
    /// </summary>
    public int DocumentStart => AddedTokens.DocumentStart;

    /// <summary>
    /// Id of a token that begins documents and does nothing else: Llama 3's <c>&lt;|begin_of_text|&gt;</c>; null where
    /// the vocabulary has none.
    /// </summary>
    public int? BeginOfText => DocumentStart == EndOfText ? null : DocumentStart;

    /// <summary>Whether the vocabulary has the two tokens of <see cref="ChatTemplate"/>.</summary>
    public bool HasTurns =>
        AddedTokens.Find(SpecialTokens[1]) is not null && AddedTokens.Find(SpecialTokens[2]) is not null;

    /// <summary>Id of <c>&lt;|im_start|&gt;</c>: it begins each chat turn.</summary>
    /// <exception cref="TinyLlmException">The vocabulary has no such token.</exception>
    public int TurnStart => TurnToken(SpecialTokens[1]);

    /// <summary>Id of <c>&lt;|im_end|&gt;</c>: it ends each chat turn.</summary>
    /// <exception cref="TinyLlmException">The vocabulary has no such token.</exception>
    public int TurnEnd => TurnToken(SpecialTokens[2]);

    /// <summary>
    /// Id of the token for what the vocabulary has no token for (word); null where there is none because text never
    /// needs it.
    /// </summary>
    public virtual int? Unknown => null;

    /// <summary>
    /// SHA-256 of what <see cref="Save"/> writes as <c>tokenizer.json</c>, in hexadecimal: equal hashes, equal ids for
    /// every text. Where added tokens are found in text, the hash is of their ids too: which they are depends on the
    /// files beside it, and earlier versions of this program found none.
    /// </summary>
    public string Hash => hash ??= ComputeHash();

    /// <summary>
    /// Whether an id stands for bytes of a text: an ordinary token, or an added one that is found in text.
    /// </summary>
    public bool IsText(int id) =>
        (uint)id < (uint)tokens.Length && id != Unknown && (AddedTokens.Find(id) is null || AddedTokens.IsText(id));

    /// <summary>
    /// Whether a generated id ends a text: the end of the document or of the turn, an unused id, or padding that no
    /// token has.
    /// </summary>
    public bool EndsText(int id) =>
        (uint)id >= (uint)tokens.Length || AddedTokens.Ends.Contains(id) || AddedTokens.IsUnused(id);

    /// <summary>
    /// Encodes text, any bytes for the byte-level kinds, and appends the ids. For several threads at once see
    /// <see cref="ForAnotherThread"/>.
    /// </summary>
    /// <exception cref="TinyLlmException">The kind cannot write this text (char: a character it does not know, or
    /// invalid UTF-8).</exception>
    public void Encode(ReadOnlySpan<byte> text, IBufferWriter<int> ids) => Encode(text, allowSpecial: false, ids);

    /// <summary>The bytes of one token; those of an added token are its name in UTF-8.</summary>
    /// <exception cref="TinyLlmException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)tokens.Length ? tokens[id]
        : throw new TinyLlmException($"Token id {id} is not in the vocabulary; expected 0 to {VocabularySize - 1}; "
            + "the ids were written by another tokenizer.");

    /// <summary>
    /// The same tokenizer for use on another thread at the same time: this one where encoding changes nothing, else a
    /// new one.
    /// </summary>
    public virtual Tokenizer ForAnotherThread() => this;

    /// <summary>
    /// Writes this tokenizer as Hugging Face's <c>tokenizer.json</c> and <c>tokenizer_config.json</c> into a folder.
    /// </summary>
    public void Save(string folder) => TokenizerFolder.Save(this, folder);

    /// <summary>Decodes ids to bytes.</summary>
    /// <exception cref="TinyLlmException">An id is not in the vocabulary.</exception>
    public byte[] Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new ArrayBufferWriter<byte>();
        foreach (int id in ids)
            bytes.Write(TokenBytes(id));
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Encodes text to an array.</summary>
    /// <param name="text">The text's bytes.</param>
    /// <param name="allowSpecial">
    /// True: an added token that is spelt out in the text becomes that token, of several at one place the longest, as
    /// Hugging Face has it. For text whose author may speak to the model as the program does, never for text from
    /// elsewhere.
    /// </param>
    /// <exception cref="TinyLlmException">As above.</exception>
    public int[] Encode(ReadOnlySpan<byte> text, bool allowSpecial = false)
    {
        var ids = new ArrayBufferWriter<int>(Math.Max(1, text.Length / 3));
        Encode(text, allowSpecial, ids);
        return ids.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Its model is taught to chat by <see cref="ChatTemplate"/>: from now on saving says so, and what ends a turn ends
    /// a text in other programs too.
    /// </summary>
    public void LearnsToChat()
    {
        if (HasTurns)
            Tell(Notes.WithTurns(TurnEnd));
    }

    /// <summary>It serves a new model, which is sampled in no way that another one's folder recommends.</summary>
    public void ServesNewModel() => Tell(Notes with { Generation = null });

    /// <summary>Encodes a string as its UTF-8 bytes.</summary>
    public int[] Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>
    /// Takes what the files say that lie beside the vocabulary, before anyone else uses this tokenizer.
    /// </summary>
    /// <exception cref="TinyLlmException">A token or an id in them is none of the vocabulary.</exception>
    internal void Tell(TokenizerNotes notes)
    {
        Notes = notes;
        AddedTokens = AddedTokens.With(notes.EndIds(this), notes.Marks, notes.TemplateText);
        hash = null;
    }

    /// <summary>The id of a token by its text, an added one before others; null if there is none.</summary>
    internal int? Find(string text)
    {
        if (AddedTokens.Find(text) is int added)
            return added;
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int id = Array.FindIndex(tokens, token => token.AsSpan().SequenceEqual(bytes));
        return id < 0 ? null : id;
    }

    private string ComputeHash()
    {
        byte[] file = TokenizerFolder.Format(this);
        if (AddedTokens.HaveText)
            file = [.. file, .. Encoding.UTF8.GetBytes($"text: {string.Join(' ', AddedTokens.Text)}")];
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>
    /// Appends the ids of text in which no added token is spelt out, but those that are looked for in normalised text.
    /// </summary>
    private protected abstract void EncodeText(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids);

    // As Hugging Face does: added tokens are cut out of the raw text first, and what is between them is encoded, each
    // part alone.
    private void Encode(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        while (AddedTokens.FindFirst(text, allowSpecial, out int place, out int length, out int id))
        {
            EncodeText(text[..place], allowSpecial, ids);
            ids.Write([id]);
            text = text[(place + length)..];
        }

        EncodeText(text, allowSpecial, ids);
    }

    private int TurnToken(string name) => AddedTokens.Find(name) ?? throw new TinyLlmException(
        $"The tokenizer has no token {name}; expected {SpecialTokens[1]} and {SpecialTokens[2]}, which a chat needs; "
        + "use a model with a tokenizer that has them: bpe, byte, char, word, cl100k, o200k or Qwen's.");
}
