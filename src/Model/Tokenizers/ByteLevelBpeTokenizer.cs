using System.Text;
using Microsoft.ML.Tokenizers;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, the kind of GPT-2 and Qwen2: the 256 bytes, then one token for each merge, then the special tokens.
/// Text is cut into pre-tokens (Qwen2's pattern), in each of which the earliest learnt merge is applied first. Any bytes round-trip:
/// there is no Unicode normalisation, and bytes that are not valid UTF-8 become single-byte tokens.
/// </summary>
/// <remarks>
/// Valid text is cut by <see cref="Qwen2Pattern"/> and merged by Microsoft.ML.Tokenizers, which is given no special tokens and hence
/// yields none. Very long pre-tokens are merged here (<see cref="BpeMerger"/>): the library's time grows with the square of their length, 5
/// seconds at 200,000 characters. What a pre-token became is remembered, which makes ordinary text several times faster.
/// </remarks>
public sealed class ByteLevelBpeTokenizer : Tokenizer
{
    // In UTF-16 units; about where the library's quadratic part begins to show.
    private const int LongPreToken = 512;

    // Bounds the memory at some 30 MB. The frequent words come early, so when it is full the rest may miss.
    private const int RememberedPreTokens = 1 << 18, RememberedLength = 32;

    private readonly byte[][] tokens;
    private readonly int[] byteIds; // the id of each byte's token
    private readonly (int Left, int Right)[] merges;
    private readonly BpeTokenizer library;
    private readonly BpeMerger merger;
    private readonly Dictionary<string, int[]> remembered = new(StringComparer.Ordinal);

    /// <summary>Builds the tokenizer from its tokens by id, without the special ones, and its merges in the order of their learning.</summary>
    /// <exception cref="ArgumentException">A byte has no token, a token occurs twice, or a merge joins or makes a token that does not exist.</exception>
    internal ByteLevelBpeTokenizer(IReadOnlyList<byte[]> vocabulary, IReadOnlyList<(int Left, int Right)> merges)
    {
        this.merges = [.. merges];
        tokens = [.. vocabulary, .. SpecialTokenBytes()];
        var texts = vocabulary.Select(t => ByteLevelAlphabet.ToText(t)).ToArray();
        var idByText = new Dictionary<string, int>(texts.Length, StringComparer.Ordinal);
        for (int id = 0; id < texts.Length; id++)
            idByText.Add(texts[id], id);
        byteIds = new int[256];
        for (int b = 0; b < byteIds.Length; b++)
            byteIds[b] = Id(ByteLevelAlphabet.ToText([(byte)b]));
        merger = new BpeMerger(Array.ConvertAll(this.merges, m => (m.Left, m.Right, Id(texts[m.Left] + texts[m.Right]))));
        library = BpeTokenizer.Create(new BpeOptions(idByText)
        {
            Merges = Array.ConvertAll(this.merges, m => $"{texts[m.Left]} {texts[m.Right]}"),
            ByteLevel = true,
        });

        int Id(string text) => idByText.TryGetValue(text, out int id)
            ? id
            : throw new ArgumentException($"The token '{text}' is missing.", nameof(vocabulary));
    }

    /// <summary>The merges in the order of their learning, each as the ids of its two tokens.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges => merges;

    /// <inheritdoc/>
    public override string Kind => "bpe";

    /// <inheritdoc/>
    public override int VocabularySize => tokens.Length;

    /// <summary>Learns a vocabulary from text: see <see cref="BpeTrainer"/>.</summary>
    /// <exception cref="TinyLlmException">The size is below <see cref="BpeTrainer.MinimumVocabularySize"/>.</exception>
    public static ByteLevelBpeTokenizer Train(ReadOnlySpan<byte> text, int vocabularySize) => BpeTrainer.Train(text, vocabularySize);

    /// <inheritdoc/>
    public override int[] Encode(ReadOnlySpan<byte> text)
    {
        var ids = new List<int>(text.Length / 3);
        using var blocks = new Utf8Blocks(text);
        while (blocks.Read())
        {
            EncodeText(blocks.Text, ids);
            foreach (byte b in blocks.Invalid)
                ids.Add(byteIds[b]);
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)tokens.Length ? tokens[id] : throw UnknownId(id);

    /// <inheritdoc/>
    public override Tokenizer ForAnotherThread() => new ByteLevelBpeTokenizer(tokens[..EndOfText], merges);

    /// <inheritdoc/>
    public override void Save(string folder) => TokenizerFolder.Save(this, folder);

    /// <summary>The tokens of valid text.</summary>
    private void EncodeText(ReadOnlySpan<char> text, List<int> ids)
    {
        var lookup = remembered.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Qwen2Pattern.Next(text, start);
            var preToken = text[start..end];
            if (!lookup.TryGetValue(preToken, out int[]? known))
            {
                known = preToken.Length <= LongPreToken ? [.. library.EncodeToIds(preToken, considerPreTokenization: false)] : EncodeLong(preToken);
                if (preToken.Length <= RememberedLength && remembered.Count < RememberedPreTokens)
                    lookup[preToken] = known;
            }

            ids.AddRange(known.AsSpan());
        }
    }

    private int[] EncodeLong(ReadOnlySpan<char> preToken)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(preToken)];
        Encoding.UTF8.GetBytes(preToken, bytes);
        return merger.Encode(Array.ConvertAll(bytes, b => byteIds[b]));
    }
}
