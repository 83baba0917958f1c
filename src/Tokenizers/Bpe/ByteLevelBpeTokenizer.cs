using System.Buffers;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, the kind of GPT-2, Llama 3 and Qwen: text is cut into pre-tokens by a
/// <see cref="Tokenizers.PreTokenizer"/>, in each of which the earliest learnt merge is applied first. Any bytes
/// round-trip, unless it <see cref="Normalizes"/>; bytes that are not valid UTF-8 become single-byte tokens. Our own
/// vocabularies are the 256 bytes, a token for each merge, and the special tokens.
/// </summary>
/// <remarks>
/// The merging is our own, over ids: Microsoft.ML.Tokenizers does not serve two threads with one instance, takes time
/// with the square of a pre-token's length, and has no <see cref="IgnoresMerges"/>. It is what the tests compare with.
/// Here the vocabulary is shared by all threads, and each remembers what the frequent pre-tokens became
/// (<see cref="PreTokenCache"/>).
/// </remarks>
public sealed class ByteLevelBpeTokenizer : Tokenizer
{
    // In UTF-16 units; longer ones are rare, and take their memory from the heap.
    private const int LongPreToken = 256;

    private readonly BpeVocabulary vocabulary;
    private readonly PreTokenCache cache = new();

    /// <summary>
    /// Builds a tokenizer of our own from its tokens by id, without the special ones, and its merges in the order of
    /// their learning. The pre-tokens are Qwen2's.
    /// </summary>
    /// <exception cref="ArgumentException">A byte has no token, a token occurs twice, or a merge joins or makes a token
    /// that does not exist.</exception>
    internal ByteLevelBpeTokenizer(IReadOnlyList<byte[]> tokens, IReadOnlyList<(int Left, int Right)> merges)
        : this(tokens, merges, AddedTokens.Own(tokens.Count), PreTokenizer.Qwen2)
    {
    }

    /// <summary>
    /// Builds any tokenizer: ordinary tokens by id (null or empty where an added token has the id), merges, added
    /// tokens and pattern.
    /// </summary>
    /// <exception cref="ArgumentException">As above.</exception>
    internal ByteLevelBpeTokenizer(
        IReadOnlyList<byte[]?> tokens, IReadOnlyList<(int Left, int Right)> merges, AddedTokens added,
        PreTokenizer preTokenizer, bool ignoresMerges = false, bool normalizes = false)
        : base(tokens, added)
    {
        vocabulary = new BpeVocabulary(tokens, merges);
        (PreTokenizer, IgnoresMerges, Normalizes) = (preTokenizer, ignoresMerges, normalizes);
    }

    private ByteLevelBpeTokenizer(ByteLevelBpeTokenizer other)
        : base(other)
    {
        vocabulary = other.vocabulary;
        (PreTokenizer, IgnoresMerges, Normalizes) = (other.PreTokenizer, other.IgnoresMerges, other.Normalizes);
    }

    /// <summary>How text is cut.</summary>
    public PreTokenizer PreTokenizer { get; }

    /// <summary>
    /// Whether a pre-token that is a token as a whole is taken so, whatever the merges would make of it (tiktoken,
    /// Llama 3).
    /// </summary>
    public bool IgnoresMerges { get; }

    /// <summary>Whether text is brought into Unicode's form C first (Qwen), so that it decodes to that form.</summary>
    public bool Normalizes { get; }

    /// <summary>The merges in the order of their learning, each as the ids of its two tokens.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges => vocabulary.Merges;

    /// <inheritdoc/>
    public override string Kind => "bpe";

    /// <summary>Learns a vocabulary from text: see <see cref="BpeTrainer"/>.</summary>
    /// <exception cref="TinyLlmException">The size is below <see cref="BpeTrainer.MinimumVocabularySize"/>.</exception>
    public static ByteLevelBpeTokenizer Train(ReadOnlySpan<byte> text, int vocabularySize) =>
        BpeTrainer.Train(text, vocabularySize);

    /// <inheritdoc/>
    private protected override void EncodeText(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        using var blocks = new Utf8Blocks(text, AddedTokens.Cut);
        while (blocks.Read())
        {
            EncodeBlock(Normalizes ? Nfc.Normalize(blocks.Text) : blocks.Text, allowSpecial, ids);
            foreach (byte b in blocks.Invalid)
                ids.Write([vocabulary.IdOf(b)]);
        }
    }

    /// <summary>The same vocabulary with a memory of its own.</summary>
    public override Tokenizer ForAnotherThread() => new ByteLevelBpeTokenizer(this);

    // The tokens of valid, normalised text.
    private void EncodeBlock(ReadOnlySpan<char> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        while (AddedTokens.FindFirst(text, allowSpecial, out int place, out int length, out int id))
        {
            EncodeOrdinary(text[..place], ids);
            ids.Write([id]);
            text = text[(place + length)..];
        }

        EncodeOrdinary(text, ids);
    }

    /// <summary>The ordinary tokens of valid text.</summary>
    private void EncodeOrdinary(ReadOnlySpan<char> text, IBufferWriter<int> ids)
    {
        var room = ids.GetSpan(3 * text.Length); // no more tokens than bytes, no more bytes than this
        int count = 0;
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = PreTokenizer.Next(text, start);
            var preToken = text[start..end];
            if (cache.TryGet(preToken, out var known))
            {
                known.CopyTo(room[count..]);
                count += known.Length;
                continue;
            }

            int added = EncodePreToken(preToken, room[count..]);
            cache.Set(preToken, room.Slice(count, added));
            count += added;
        }

        ids.Advance(count);
    }

    private int EncodePreToken(ReadOnlySpan<char> preToken, Span<int> room)
    {
        Span<byte> buffer = preToken.Length <= LongPreToken ? stackalloc byte[3 * LongPreToken]
            : new byte[3 * preToken.Length];
        var bytes = buffer[..Encoding.UTF8.GetBytes(preToken, buffer)];
        if (IgnoresMerges && vocabulary.Find(bytes) is int whole)
        {
            room[0] = whole;
            return 1;
        }

        for (int i = 0; i < bytes.Length; i++)
            room[i] = vocabulary.IdOf(bytes[i]);
        return vocabulary.Merger.Merge(room[..bytes.Length]);
    }
}
