namespace TinyLlm.Tokenizers;

/// <summary>
/// The ordinary tokens and merges of a byte-level BPE tokenizer, checked. Nothing changes in it, so all threads share
/// one.
/// </summary>
internal sealed class BpeVocabulary
{
    private readonly int[] byteIds = new int[256];
    private readonly Dictionary<string, int> idByText; // in the byte-level alphabet

    /// <summary>
    /// Takes tokens by id, null or empty where an added token is no ordinary one as well, and merges in the order of
    /// their learning.
    /// </summary>
    /// <exception cref="ArgumentException">A byte has no token, a token occurs twice, or a merge joins or makes a token
    /// that does not exist.</exception>
    public BpeVocabulary(IReadOnlyList<byte[]?> tokens, IReadOnlyList<(int Left, int Right)> merges)
    {
        Merges = merges;
        idByText = new Dictionary<string, int>(tokens.Count, StringComparer.Ordinal);
        var texts = new string[tokens.Count];
        for (int id = 0; id < texts.Length; id++)
        {
            texts[id] = "";
            if (tokens[id] is not { Length: > 0 } token)
                continue;
            texts[id] = ByteLevelAlphabet.ToText(token);
            idByText.Add(texts[id], id);
        }

        for (int b = 0; b < byteIds.Length; b++)
            byteIds[b] = Id(ByteLevelAlphabet.ToText([(byte)b]));
        var made = new (int Left, int Right, int Id)[merges.Count];
        for (int i = 0; i < made.Length; i++)
            made[i] = (merges[i].Left, merges[i].Right, Id(texts[merges[i].Left] + texts[merges[i].Right]));
        Merger = new BpeMerger(made);

        int Id(string text) => idByText.TryGetValue(text, out int id) ? id
            : throw new ArgumentException($"The token '{text}' is missing.", nameof(tokens));
    }

    /// <summary>The merges in the order of their learning, each as the ids of its two tokens.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges { get; }

    /// <summary>The merges at work.</summary>
    public BpeMerger Merger { get; }

    /// <summary>The id of a byte's token.</summary>
    public int IdOf(byte b) => byteIds[b];

    /// <summary>The id of the token with these bytes, null if there is none.</summary>
    public int? Find(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        ByteLevelAlphabet.ToText(bytes, text);
        return idByText.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out int id) ? id : null;
    }
}
