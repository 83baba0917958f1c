using System.Buffers;
using System.Text;
using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Reads a Hugging Face <c>tokenizer.json</c>: our own kinds, and byte-level BPE from elsewhere
/// (<see cref="BpeJsonReader"/>). Anything that would give other ids is refused.
/// </summary>
internal sealed class TokenizerJsonReader
{
    private readonly JsonView view;

    private TokenizerJsonReader(string path) => view = new JsonView(path);

    /// <summary>Builds the tokenizer.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="path">Names the file in messages.</param>
    /// <param name="endOfText">What ends a document where the tokenizer has no token that is known to: <c>eos_token</c>
    /// of <c>tokenizer_config.json</c>.</param>
    /// <exception cref="TinyLlmException">The file is malformed or of a kind that this program has not.</exception>
    public static Tokenizer Read(byte[] json, string path, string? endOfText = null)
    {
        try
        {
            using var document = JsonText.Parse(json);
            return new TokenizerJsonReader(path).Read(document.RootElement, endOfText);
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path}: {JsonText.Fault(e)}; expected a Hugging Face tokenizer.json; copy the "
                + "file again.", e);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            // A value of another type than the format says, a fraction for an id, or half a surrogate pair.
            throw new JsonView(path)
                .Fail($"a value is of the wrong type ({e.Message.TrimEnd('.')}); expected a Hugging Face "
                    + "tokenizer.json");
        }
    }

    private Tokenizer Read(JsonElement root, string? endOfText)
    {
        var model = view.Get(root, "model");
        // GPT-2's own file has no type.
        string type = JsonView.TryGet(model, "type") is null && JsonView.TryGet(model, "merges") is not null ? "BPE"
            : view.TypeOf(model);
        if (type is not ("BPE" or "WordLevel"))
            throw view.Fail($"the model type is {type}; expected BPE (or WordLevel as this program writes it)");
        bool normalizes = ReadNormalizer(root, type);

        var vocabulary = ReadVocabulary(view.Get(model, "vocab"));
        var added = ReadAddedTokens(view.Get(root, "added_tokens"), vocabulary);
        string[] tokens = ById(vocabulary, added);
        if (type == "BPE")
            return new BpeJsonReader(view).Read(root, tokens, vocabulary, added, endOfText, normalizes);

        CheckOwn(added, tokens.Length);
        string[] ordinary = tokens[..^added.Count];
        var split = view.Get(root, "pre_tokenizer");
        string pattern = view.TypeOf(split) == "Split" ? BpeJsonReader.Pattern(view.Get(split, "pattern")) : "";
        return pattern == TokenizerJsonWriter.AnyCharacter ? ReadCharacters(ordinary)
            : pattern == WordPattern.Expression ? ReadWords(ordinary)
            : throw view.Fail($"the pre-tokenizer of the WordLevel model is {view.TypeOf(split)} "
                + $"{JsonView.Show(pattern)}; expected Split as this program writes it (char, word)");
    }

    private bool ReadNormalizer(JsonElement root, string model)
    {
        if (JsonView.TryGet(root, "normalizer") is not { ValueKind: not JsonValueKind.Null } normalizer)
            return false;
        string[] steps = [.. view.Steps(normalizer, "normalizers").Select(step => view.TypeOf(step))];
        return steps.All(step => step == "NFC") && model == "BPE" ? steps.Length > 0
            : throw view.Fail($"the normalizer is {string.Join(" + ", steps)}; expected null, or NFC with a BPE model");
    }

    private Dictionary<string, int> ReadVocabulary(JsonElement vocab)
    {
        var ids = new Dictionary<string, int>(vocab.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in vocab.EnumerateObject())
        {
            if (!entry.Value.TryGetInt32(out int id) || id < 0)
            {
                throw view.Fail($"the token '{JsonView.Show(entry.Name)}' has id {entry.Value.GetRawText()}; expected "
                    + "ids from 0 on without gaps");
            }

            if (entry.Name.Length == 0 || !ids.TryAdd(entry.Name, id))
            {
                throw view.Fail($"the token '{JsonView.Show(entry.Name)}' is empty or occurs twice in model.vocab; "
                    + "expected distinct tokens");
            }
        }

        return ids.Count > 0 ? ids : throw view.Fail("model.vocab is empty");
    }

    private List<AddedToken> ReadAddedTokens(JsonElement array, Dictionary<string, int> vocabulary)
    {
        var added = new List<AddedToken>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var element in array.EnumerateArray())
        {
            string name = view.Get(element, "content").GetString() ?? "";
            int id = view.Get(element, "id").GetInt32();
            if (name.Length == 0 || !names.Add(name))
            {
                throw view.Fail(
                    $"the added token '{JsonView.Show(name)}' is empty or occurs twice; expected distinct tokens");
            }

            if (id < 0 || vocabulary.TryGetValue(name, out int other) && other != id)
            {
                throw view.Fail($"the added token '{JsonView.Show(name)}' has id {id}; expected the id that it has in "
                    + "model.vocab, or one behind it");
            }

            foreach (string flag in (string[])["lstrip", "rstrip", "single_word"])
            {
                if (JsonView.Flag(element, flag, fallback: false))
                    throw view.Fail($"the added token '{JsonView.Show(name)}' has {flag}; expected false");
            }

            bool isSpecial = JsonView.Flag(element, "special", fallback: true);
            added.Add(new AddedToken(name, id, isSpecial, JsonView.Flag(element, "normalized", fallback: false)));
        }

        return added;
    }

    /// <summary>All tokens by id, each id from 0 on taken once.</summary>
    private string[] ById(Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var names = new Dictionary<int, string>(vocabulary.Count + added.Count);
        foreach (var (name, id) in vocabulary.Concat(
            added.Where(t => !vocabulary.ContainsKey(t.Text)).Select(t => KeyValuePair.Create(t.Text, t.Id))))
        {
            if (!names.TryAdd(id, name))
            {
                throw view.Fail($"the tokens '{JsonView.Show(names[id])}' and '{JsonView.Show(name)}' share id {id}; "
                    + "expected ids from 0 on without duplicates");
            }
        }

        var tokens = new string[names.Count];
        for (int id = 0; id < tokens.Length; id++)
        {
            tokens[id] = names.GetValueOrDefault(id)
                ?? throw view.Fail($"no token has id {id}, but the largest is {names.Keys.Max()}; expected ids from 0 "
                    + "on without gaps");
        }

        return tokens;
    }

    // Our own kinds end with our three tokens.
    private void CheckOwn(List<AddedToken> added, int size)
    {
        string[] expected =
            [.. Tokenizer.SpecialTokens.Select((name, i) => $"{name} = {size - Tokenizer.SpecialTokens.Count + i}")];
        string[] found = [.. added.OrderBy(t => t.Id).Select(t => $"{JsonView.Show(t.Text)} = {t.Id}")];
        if (!found.SequenceEqual(expected))
        {
            throw view.Fail($"the added tokens are {(found.Length == 0 ? "missing" : string.Join(", ", found))}; "
                + $"expected {string.Join(", ", expected)}");
        }
    }

    private CharTokenizer ReadCharacters(string[] tokens)
    {
        var characters = new Rune[tokens.Length];
        for (int id = 0; id < characters.Length; id++)
        {
            if (Rune.DecodeFromUtf16(tokens[id], out characters[id], out int units) != OperationStatus.Done
                || units != tokens[id].Length)
                throw view.Fail($"the token '{JsonView.Show(tokens[id])}' (id {id}) is not one character");
        }

        return new CharTokenizer(characters);
    }

    private WordTokenizer ReadWords(string[] tokens)
    {
        if (tokens.Length == 0 || tokens[^1] != WordTokenizer.UnknownToken)
        {
            throw view.Fail(
                $"the last token of model.vocab is not {WordTokenizer.UnknownToken}; expected it behind the words");
        }

        return new WordTokenizer(tokens[..^1]);
    }
}
