using System.Buffers;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// A token beside those that text is cut into, at an id of its own: a mark that programs place between texts, or a
/// piece of text that is taken whole.
/// </summary>
/// <param name="Text">How it is written.</param>
/// <param name="Id">Its id.</param>
/// <param name="IsSpecial">
/// Whether it is a mark; false for what belongs to a text, such as <c>&lt;tool_call&gt;</c> or a run of spaces, and is
/// found in it.
/// </param>
/// <param name="IsNormalized">
/// Whether it is looked for in the normalised text, behind all that are not, and is normalised itself.
/// </param>
public sealed record AddedToken(string Text, int Id, bool IsSpecial = true, bool IsNormalized = false);

/// <summary>
/// The added tokens of a tokenizer, and which of them begin and end documents and chat turns. Our own kinds have three
/// behind all others (<see cref="Tokenizer.SpecialTokens"/>); a tokenizer from elsewhere has its own, at its own ids.
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
    private readonly AddedTokenSearch<byte> inText;       // in UTF-8
    private readonly AddedTokenSearch<char> inNormalized; // in UTF-16
    private HashSet<int> textIds;

    /// <summary>Takes the tokens of a vocabulary.</summary>
    /// <param name="tokens">Distinct names and ids, in any order.</param>
    /// <param name="endOfText">The name of the token that ends a document; null: the one that is known to.</param>
    /// <param name="around">
    /// What stands around a text; null: nothing, and a document begins with the token that ends the one before it.
    /// </param>
    /// <param name="normalizes">Whether the tokenizer brings text into Unicode's form C.</param>
    /// <exception cref="ArgumentException">No token ends a document, or the token that should begin or end one is
    /// missing.</exception>
    internal AddedTokens(
        IEnumerable<AddedToken> tokens, string? endOfText = null, AroundText? around = null, bool normalizes = false)
    {
        Items = [.. tokens.OrderBy(t => t.Id)];
        ids = Items.ToDictionary(t => t.Text, t => t.Id, StringComparer.Ordinal);
        byId = Items.ToDictionary(t => t.Id);
        var raw = Items.Where(t => !t.IsNormalized).Select(t => (Name: t.Text, t.Id)).ToList();
        var normalized = Items.Where(t => t.IsNormalized)
            .Select(t => (Name: normalizes ? Nfc.Normalize(t.Text).ToString() : t.Text, t.Id)).ToList();
        inText = new(raw.Select(t => (Encoding.UTF8.GetBytes(t.Name), t.Id)), values => SearchValues.Create(values));
        inNormalized = new(normalized.Select(t => (t.Name.ToCharArray(), t.Id)), values => SearchValues.Create(values));
        Cut = new TextCut(raw.Concat(normalized).Select(t => t.Name));

        endOfText ??= KnownEnds.FirstOrDefault(ids.ContainsKey)
            ?? throw new ArgumentException($"there is no token {string.Join(" or ", KnownEnds)}.", nameof(tokens));
        EndOfText = Find(endOfText) ?? throw new ArgumentException($"there is no token {endOfText}.", nameof(tokens));
        Around = around;
        DocumentStart = around?.Start is not { } start ? EndOfText
            : Find(start) ?? throw new ArgumentException($"there is no token {start}.", nameof(around));
        KnownEndIds = Ends = [EndOfText, .. endsOfTurn.Select(Find).OfType<int>()];
        textIds = TextIds([], "");
    }

    /// <summary>The tokens in the order of their ids.</summary>
    public IReadOnlyList<AddedToken> Items { get; }

    /// <summary>Id of the token that ends a document.</summary>
    public int EndOfText { get; }

    /// <summary>
    /// Id of the token that begins a document; <see cref="EndOfText"/> where the vocabulary has none for it.
    /// </summary>
    public int DocumentStart { get; }

    /// <summary>
    /// Ids after which a generated text is over: the end of the document, of the turn where the vocabulary has one, and
    /// what the tokenizer's folder names besides.
    /// </summary>
    public IReadOnlyList<int> Ends { get; private set; }

    /// <summary>Whether any of them stands for text.</summary>
    public bool HaveText => textIds.Count > 0;

    /// <summary>The ids of those that stand for text, in their order.</summary>
    internal IEnumerable<int> Text => textIds.Order();

    /// <summary>Those of <see cref="Ends"/> that are known by their names.</summary>
    internal IReadOnlyList<int> KnownEndIds { get; }

    /// <summary>What stands around a text; null for nothing.</summary>
    internal AroundText? Around { get; }

    /// <summary>Where text can be cut and none of them lies across.</summary>
    public TextCut Cut { get; }

    /// <summary>Our own three tokens, from id <paramref name="first"/> on.</summary>
    public static AddedTokens Own(int first) =>
        new(Tokenizer.SpecialTokens.Select((name, i) => new AddedToken(name, first + i)));

    /// <summary>
    /// A token for an id that a published vocabulary left out: Hugging Face numbers added tokens one after another, so
    /// a gap would move all behind it.
    /// </summary>
    public static AddedToken Unused(int id) => new($"{UnusedPrefix}{id}|>", id);

    /// <summary>The id of a token, null if there is none of that name.</summary>
    public int? Find(string text) => ids.TryGetValue(text, out int id) ? id : null;

    /// <summary>The token of an id, null if the id is an ordinary token's or none.</summary>
    public AddedToken? Find(int id) => byId.GetValueOrDefault(id);

    /// <summary>Whether an id only fills a gap.</summary>
    public bool IsUnused(int id) =>
        Find(id) is { } token && token.Text.StartsWith(UnusedPrefix, StringComparison.Ordinal);

    /// <summary>
    /// Whether an added token stands for text, in which it is found: it is not special, and no mark of a chat or a
    /// document (<see cref="ChatMarks"/>).
    /// </summary>
    public bool IsText(int id) => textIds.Contains(id);

    /// <summary>The same tokens where the tokenizer's folder says more of them.</summary>
    /// <param name="ends">Ids that end a text besides those that are known to.</param>
    /// <param name="marks">Names of tokens that are no text.</param>
    /// <param name="template">The chat template's text.</param>
    internal AddedTokens With(IEnumerable<int> ends, IReadOnlyCollection<string> marks, string template)
    {
        var copy = (AddedTokens)MemberwiseClone();
        copy.Ends = [.. KnownEndIds.Union(ends)];
        copy.textIds = copy.TextIds(marks, template);
        return copy;
    }

    /// <summary>
    /// Finds the first added token that is spelt out in a text, of several at one place the longest. Where one that is
    /// not wanted is spelt out the search goes on behind it, so that no part of its name is found either.
    /// </summary>
    /// <param name="text">UTF-8 or any bytes.</param>
    /// <param name="allowSpecial">Whether all are wanted, or only those that stand for text.</param>
    /// <param name="place">Where it begins; the length of the text if there is none.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="id">Its id.</param>
    internal bool FindFirst(ReadOnlySpan<byte> text, bool allowSpecial, out int place, out int length, out int id) =>
        FindFirst(inText, text, allowSpecial, out place, out length, out id);

    /// <summary>The same for those that are looked for in normalised text, in UTF-16 units.</summary>
    internal bool FindFirst(ReadOnlySpan<char> text, bool allowSpecial, out int place, out int length, out int id) =>
        FindFirst(inNormalized, text, allowSpecial, out place, out length, out id);

    private bool FindFirst<T>(
        AddedTokenSearch<T> search, ReadOnlySpan<T> text, bool allowSpecial, out int place, out int length, out int id)
        where T : unmanaged, IEquatable<T>
    {
        (place, length, id) = (text.Length, 0, -1);
        if (!allowSpecial && !HaveText)
            return false;
        for (int from = 0; search.Find(text, from, out place, out length, out id); from = place + length)
        {
            if (allowSpecial || textIds.Contains(id))
                return true;
        }

        return false;
    }

    private HashSet<int> TextIds(IReadOnlyCollection<string> marks, string template)
    {
        string[] told = [.. marks, .. Around?.Names ?? []];
        return [.. Items.Where(t => !t.IsSpecial && !IsMark(t)).Select(t => t.Id)];

        bool IsMark(AddedToken t) => t.Id == DocumentStart || Ends.Contains(t.Id) || told.Contains(t.Text)
            || ChatMarks.Is(t.Text, template, ids.ContainsKey);
    }
}
