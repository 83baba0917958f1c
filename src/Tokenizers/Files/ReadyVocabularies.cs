using System.IO.Compression;
using System.Reflection;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// The published vocabularies cl100k (GPT-4) and o200k (GPT-4o), from the packages Microsoft.ML.Tokenizers.Data.*. All
/// published ids are kept; the ids that were left out between them are filled (<see cref="AddedTokens.Unused"/>), and
/// our two chat tokens come behind the last.
/// </summary>
/// <remarks>
/// The chat tokens are there because a model that is pretrained here from scratch has a row for each id anyway, and
/// without them it could never be taught to chat. No published weights go with these vocabularies, so nothing depends
/// on their number of ids.
/// </remarks>
public static class ReadyVocabularies
{
    // What tiktoken has under these names.
    private static readonly Dictionary<string, Source> sources = new(StringComparer.Ordinal)
    {
        ["cl100k"] = new("Cl100kBase", "cl100k_base", PreTokenizer.Cl100k,
        [
            new("<|endoftext|>", 100257), new("<|fim_prefix|>", 100258), new("<|fim_middle|>", 100259),
                new("<|fim_suffix|>", 100260), new("<|endofprompt|>", 100276),
        ]),
        ["o200k"] = new(
            "O200kBase", "o200k_base", PreTokenizer.O200k,
            [new("<|endoftext|>", 199999), new("<|endofprompt|>", 200018)]),
    };

    /// <summary>Their names.</summary>
    public static IReadOnlyCollection<string> Names => sources.Keys;

    /// <summary>Builds the tokenizer of that name.</summary>
    /// <exception cref="TinyLlmException">There is no vocabulary of that name.</exception>
    public static ByteLevelBpeTokenizer Load(string name)
    {
        if (!sources.TryGetValue(name, out var source))
        {
            throw new TinyLlmException(
                $"There is no ready vocabulary '{name}'; expected {string.Join(" or ", Names)}.");
        }

        var tokens = ReadTokens(source);
        int last = source.Special[^1].Id;
        var taken = source.Special.Select(t => t.Id).ToHashSet();
        var unused = Enumerable.Range(tokens.Count, last - tokens.Count).Where(id => !taken.Contains(id))
            .Select(AddedTokens.Unused);
        var chat = Tokenizer.SpecialTokens.Skip(1).Select((text, i) => new AddedToken(text, last + 1 + i));
        return new ByteLevelBpeTokenizer(
            tokens, Merges(tokens), new AddedTokens([.. source.Special, .. unused, .. chat]), source.PreTokenizer,
            ignoresMerges: true);
    }

    // A line with the number of tokens, then a token a line in base 64, in the order of the ids.
    private static List<byte[]> ReadTokens(Source source)
    {
        var assembly = Assembly.Load($"Microsoft.ML.Tokenizers.Data.{source.Package}");
        using var resource = assembly.GetManifestResourceStream($"{source.Resource}.tiktoken.deflate")
            ?? throw new InvalidOperationException($"{assembly.GetName()} has no {source.Resource}.");
        using var lines = new StreamReader(new DeflateStream(resource, CompressionMode.Decompress), Encoding.ASCII);
        lines.ReadLine();
        var tokens = new List<byte[]>();
        while (lines.ReadLine() is { Length: > 0 } line)
            tokens.Add(Convert.FromBase64String(line));
        return tokens;
    }

    /// <summary>
    /// The merges that the ranks stand for: a token is made of the two that its bytes merge to by the earlier tokens
    /// alone. A token that they never merge to has none, and is reached as a whole pre-token only.
    /// </summary>
    private static List<(int Left, int Right)> Merges(List<byte[]> tokens)
    {
        var ids = new Dictionary<string, int>(tokens.Count, StringComparer.Ordinal); // by the bytes as Latin-1
        for (int id = 0; id < tokens.Count; id++)
            ids.Add(Encoding.Latin1.GetString(tokens[id]), id);

        var merges = new List<(int Left, int Right)>(tokens.Count);
        var ends = new List<int>();
        for (int id = 0; id < tokens.Count; id++)
        {
            if (tokens[id].Length > 1 && Split(Encoding.Latin1.GetString(tokens[id]), id, ids, ends) is { } pair)
                merges.Add(pair);
        }

        return merges;
    }

    private static (int Left, int Right)? Split(string token, int rank, Dictionary<string, int> ids, List<int> ends)
    {
        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        ends.Clear();
        ends.AddRange(Enumerable.Range(0, token.Length + 1));
        while (ends.Count > 3)
        {
            int best = rank, at = -1;
            for (int i = 0; i + 2 < ends.Count; i++)
            {
                if (lookup.TryGetValue(token.AsSpan(ends[i]..ends[i + 2]), out int id) && id < best)
                    (best, at) = (id, i);
            }

            if (at < 0)
                return null;
            ends.RemoveAt(at + 1);
        }

        return (ids[token[..ends[1]]], ids[token[ends[1]..]]);
    }

    private sealed record Source(string Package, string Resource, PreTokenizer PreTokenizer, AddedToken[] Special);
}
