using System.Buffers;
using System.Text;

namespace TinyLlm.Model.Tokenizers;

/// <summary>A token that no text is cut into: a mark that programs place between texts, at an id of its own.</summary>
/// <param name="Text">How it is written.</param>
/// <param name="Id">Its id.</param>
/// <param name="IsSpecial">Whether other programs leave it out of what they show; false for marks such as <c>&lt;tool_call&gt;</c> that belong to the text.</param>
public sealed record AddedToken(string Text, int Id, bool IsSpecial = true);

/// <summary>
/// The added tokens of a tokenizer, and which of them begin and end documents and chat turns. Our own kinds have three behind all others
/// (<see cref="Tokenizer.SpecialTokens"/>); a tokenizer from elsewhere has its own, at its own ids.
/// </summary>
public sealed class AddedTokens
{
    // GPT-2, Qwen, cl100k and o200k; Llama 3.
    internal static readonly IReadOnlyList<string> KnownEnds = [Tokenizer.SpecialTokens[0], "<|end_of_text|>"];

    // Ours and Qwen's; Llama 3's.
    private static readonly string[] endsOfTurn = [Tokenizer.SpecialTokens[2], "<|eot_id|>"];

    private const string UnusedPrefix = "<|unused_";

    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<int, AddedToken> byId;
    private readonly ILookup<byte, (byte[] Name, int Id)> byFirstByte; // the longest name first
    private readonly SearchValues<byte> firstBytes;

    /// <summary>Takes the tokens of a vocabulary.</summary>
    /// <param name="tokens">Distinct names and ids, in any order.</param>
    /// <param name="endOfText">The name of the token that ends a document; null: the one that is known to.</param>
    /// <param name="documentStart">The name of the token that begins a document; null: the one that ends the document before it.</param>
    /// <exception cref="ArgumentException">No token ends a document, or the token that should begin or end one is missing.</exception>
    public AddedTokens(IEnumerable<AddedToken> tokens, string? endOfText = null, string? documentStart = null)
    {
        Items = [.. tokens.OrderBy(t => t.Id)];
        ids = Items.ToDictionary(t => t.Text, t => t.Id, StringComparer.Ordinal);
        byId = Items.ToDictionary(t => t.Id);
        byFirstByte = Items.Select(t => (Name: Encoding.UTF8.GetBytes(t.Text), t.Id)).OrderByDescending(t => t.Name.Length).ToLookup(t => t.Name[0]);
        firstBytes = SearchValues.Create([.. byFirstByte.Select(group => group.Key)]);
        endOfText ??= KnownEnds.FirstOrDefault(ids.ContainsKey) ?? throw new ArgumentException($"there is no token {string.Join(" or ", KnownEnds)}.", nameof(tokens));
        EndOfText = Find(endOfText) ?? throw new ArgumentException($"there is no token {endOfText}.", nameof(tokens));
        DocumentStart = documentStart is null ? EndOfText : Find(documentStart) ?? throw new ArgumentException($"there is no token {documentStart}.", nameof(tokens));
        Ends = [EndOfText, .. endsOfTurn.Select(Find).OfType<int>()];
    }

    /// <summary>The tokens in the order of their ids.</summary>
    public IReadOnlyList<AddedToken> Items { get; }

    /// <summary>Id of the token that ends a document.</summary>
    public int EndOfText { get; }

    /// <summary>Id of the token that begins a document; <see cref="EndOfText"/> where the vocabulary has none for it.</summary>
    public int DocumentStart { get; }

    /// <summary>Ids after which a generated text is over: the end of the document, and of the turn where the vocabulary has one.</summary>
    public IReadOnlyList<int> Ends { get; }

    /// <summary>Our own three tokens, from id <paramref name="first"/> on.</summary>
    public static AddedTokens Own(int first) => new(Tokenizer.SpecialTokens.Select((name, i) => new AddedToken(name, first + i)));

    /// <summary>A token for an id that a published vocabulary left out: Hugging Face numbers added tokens one after another, so a gap would move all behind it.</summary>
    public static AddedToken Unused(int id) => new($"{UnusedPrefix}{id}|>", id);

    /// <summary>The id of a token, null if there is none of that name.</summary>
    public int? Find(string text) => ids.TryGetValue(text, out int id) ? id : null;

    /// <summary>The token of an id, null if the id is an ordinary token's or none.</summary>
    public AddedToken? Find(int id) => byId.GetValueOrDefault(id);

    /// <summary>Whether an id only fills a gap.</summary>
    public bool IsUnused(int id) => Find(id) is { } token && token.Text.StartsWith(UnusedPrefix, StringComparison.Ordinal);

    /// <summary>Finds the first added token that is spelt out in <paramref name="text"/>, of several at one place the longest.</summary>
    /// <param name="place">Where it begins; the length of the text if there is none.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="id">Its id.</param>
    internal bool FindFirst(ReadOnlySpan<byte> text, out int place, out int length, out int id)
    {
        for (place = 0; place < text.Length; place++)
        {
            int next = text[place..].IndexOfAny(firstBytes);
            if (next < 0)
                break;
            place += next;
            foreach (var (name, found) in byFirstByte[text[place]])
            {
                if (text[place..].StartsWith(name))
                {
                    (length, id) = (name.Length, found);
                    return true;
                }
            }
        }

        (place, length, id) = (text.Length, 0, -1);
        return false;
    }
}
