using System.Text;
using System.Text.Json;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c> as <see cref="TokenizerJsonWriter"/>, or Hugging Face after it, writes it. Anything that would give other ids is refused.</summary>
internal sealed class TokenizerJsonReader
{
    private const string Remedy = "use a tokenizer that `tinyllm tokenizer train` wrote.";

    private readonly string path;

    private TokenizerJsonReader(string path) => this.path = path;

    /// <summary>Builds the tokenizer; <paramref name="path"/> names the file in messages.</summary>
    public static Tokenizer Read(byte[] json, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return new TokenizerJsonReader(path).Read(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path} is not valid JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}; expected a Hugging Face tokenizer.json; copy the file again.", e);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            // A value of another type than the format says, a fraction for an id, or half a surrogate pair.
            throw new TinyLlmException($"{path} has a value of the wrong type ({e.Message}); expected a Hugging Face tokenizer.json; {Remedy}", e);
        }
    }

    private Tokenizer Read(JsonElement root)
    {
        var model = Get(root, "model");
        string type = Get(model, "type").GetString() ?? "null";
        if (type is not ("BPE" or "WordLevel"))
            throw Fail($"the model type is {type}; expected BPE or WordLevel");
        if (root.TryGetProperty("normalizer", out var normalizer) && normalizer.ValueKind != JsonValueKind.Null)
            throw Fail($"the normalizer is {Show(TypeOf(normalizer))}; expected null, so that bytes round-trip");

        var vocabulary = ReadVocabulary(Get(model, "vocab"));
        CheckSpecialTokens(root, vocabulary.Length);
        if (type == "WordLevel")
            return ReadCharacters(root, vocabulary);

        bool bpe = IsQwen2(root);
        CheckPlainBpe(model);
        var tokens = new byte[vocabulary.Length][];
        for (int id = 0; id < tokens.Length; id++)
            tokens[id] = ByteLevelAlphabet.ToBytes(vocabulary[id]) ?? throw Fail($"the token '{Show(vocabulary[id])}' (id {id}) is not in byte-level characters");

        var ids = new Dictionary<string, int>(vocabulary.Length, StringComparer.Ordinal);
        for (int id = 0; id < vocabulary.Length; id++)
            ids.Add(vocabulary[id], id);
        for (int b = 0; b < 256; b++)
        {
            if (!ids.ContainsKey(ByteLevelAlphabet.ToText([(byte)b])))
                throw Fail($"byte 0x{b:X2} has no token; expected all 256");
        }

        var merges = ReadMerges(Get(model, "merges"), ids);
        if (bpe)
            return new ByteLevelBpeTokenizer(tokens, merges);
        if (merges.Count > 0 || tokens.Length != 256 || tokens.Where((t, id) => t[0] != id).Any())
            throw Fail($"there is no Split pre-tokenizer, but {merges.Count} merges and {tokens.Length} tokens; expected 256 bytes in order (byte), or Qwen2's Split (bpe)");
        return new ByteTokenizer();
    }

    /// <summary>The tokens by id.</summary>
    private string[] ReadVocabulary(JsonElement vocab)
    {
        var tokens = new string?[vocab.GetPropertyCount()];
        if (tokens.Length == 0)
            throw Fail("model.vocab is empty");

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in vocab.EnumerateObject())
        {
            if (entry.Name.Length == 0 || !seen.Add(entry.Name))
                throw Fail($"the token '{Show(entry.Name)}' is empty or occurs twice in model.vocab; expected distinct tokens");
            if (!entry.Value.TryGetInt32(out int id) || id < 0 || id >= tokens.Length)
                throw Fail($"the token '{Show(entry.Name)}' has id {entry.Value.GetRawText()}; expected ids 0 to {tokens.Length - 1} without gaps");
            if (tokens[id] is string other)
                throw Fail($"the tokens '{Show(other)}' and '{Show(entry.Name)}' share id {id}; expected ids 0 to {tokens.Length - 1} without duplicates");
            tokens[id] = entry.Name;
        }

        return tokens!; // as many distinct ids as places: all are set
    }

    private void CheckSpecialTokens(JsonElement root, int firstId)
    {
        string[] expected = [.. Tokenizer.SpecialTokens.Select((name, i) => $"{name} = {firstId + i}")];
        var found = new List<string>();
        foreach (var token in Get(root, "added_tokens").EnumerateArray())
            found.Add($"{Show(Get(token, "content").GetString() ?? "null")} = {Get(token, "id").GetInt32()}");
        if (!found.Order(StringComparer.Ordinal).SequenceEqual(expected.Order(StringComparer.Ordinal)))
            throw Fail($"the special tokens are {(found.Count == 0 ? "missing" : string.Join(", ", found))}; expected {string.Join(", ", expected)}");
    }

    private CharTokenizer ReadCharacters(JsonElement root, string[] vocabulary)
    {
        var split = Get(root, "pre_tokenizer");
        if (TypeOf(split) != "Split" || Pattern(split) != TokenizerJsonWriter.AnyCharacter)
            throw Fail($"the pre-tokenizer of the WordLevel model is {Show(TypeOf(split))}; expected Split on {TokenizerJsonWriter.AnyCharacter} (char)");

        var characters = new Rune[vocabulary.Length];
        for (int id = 0; id < characters.Length; id++)
        {
            if (Rune.DecodeFromUtf16(vocabulary[id], out characters[id], out int units) != System.Buffers.OperationStatus.Done || units != vocabulary[id].Length)
                throw Fail($"the token '{Show(vocabulary[id])}' (id {id}) is not one character");
        }

        return new CharTokenizer(characters);
    }

    /// <summary>True for Qwen2's split followed by bytes (bpe), false for bytes alone (byte).</summary>
    private bool IsQwen2(JsonElement root)
    {
        var preTokenizer = Get(root, "pre_tokenizer");
        JsonElement[] steps = TypeOf(preTokenizer) == "Sequence" ? [.. Get(preTokenizer, "pretokenizers").EnumerateArray()] : [preTokenizer];
        string found = string.Join(" + ", Array.ConvertAll(steps, TypeOf));
        if (found is not ("ByteLevel" or "Split + ByteLevel"))
            throw Fail($"the pre-tokenizer is {Show(found)}; expected ByteLevel (byte) or Split + ByteLevel (bpe)");
        if (Get(steps[^1], "add_prefix_space").GetBoolean() || Get(steps[^1], "use_regex").GetBoolean())
            throw Fail("ByteLevel has add_prefix_space or use_regex; expected both false");
        if (steps.Length == 2 && (Pattern(steps[0]) != Qwen2Pattern.Regex || Get(steps[0], "behavior").GetString() != "Isolated"))
            throw Fail($"the Split pattern is '{Show(Pattern(steps[0]))}'; expected Qwen2's, isolated");
        return steps.Length == 2;
    }

    private void CheckPlainBpe(JsonElement model)
    {
        foreach (string option in (string[])["dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges", "byte_fallback"])
        {
            bool plain = !model.TryGetProperty(option, out var value) || value.ValueKind is JsonValueKind.Null or JsonValueKind.False
                || value.ValueKind == JsonValueKind.String && value.GetString() == "";
            if (!plain)
                throw Fail($"model.{option} is {value.GetRawText()}; expected null, false or empty");
        }
    }

    /// <summary>Reads both forms of a merge: <c>"a b"</c> and <c>["a", "b"]</c>.</summary>
    private List<(int Left, int Right)> ReadMerges(JsonElement array, Dictionary<string, int> ids)
    {
        var merges = new List<(int Left, int Right)>(array.GetArrayLength());
        var seen = new HashSet<(int, int)>();
        foreach (var item in array.EnumerateArray())
        {
            string[] parts = item.ValueKind == JsonValueKind.Array
                ? [.. item.EnumerateArray().Select(p => p.GetString() ?? "")]
                : (item.GetString() ?? "").Split(' ');
            if (parts.Length != 2 || !ids.TryGetValue(parts[0], out int left) || !ids.TryGetValue(parts[1], out int right) || !ids.ContainsKey(parts[0] + parts[1]))
                throw Fail($"merge {merges.Count} is {Show(item.GetRawText())}; expected two tokens of model.vocab that join to a third");
            if (!seen.Add((left, right)))
                throw Fail($"merge {merges.Count}, {Show(item.GetRawText())}, occurs twice");
            merges.Add((left, right));
        }

        return merges;
    }

    private JsonElement Get(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value
            : throw Fail($"\"{name}\" is missing; expected a Hugging Face tokenizer.json");

    private string TypeOf(JsonElement element) =>
        element.ValueKind == JsonValueKind.Null ? "null" : Get(element, "type").GetString() ?? "null";

    private string Pattern(JsonElement split)
    {
        var pattern = Get(split, "pattern");
        return pattern.TryGetProperty("Regex", out var regex) ? regex.GetString() ?? "" : pattern.GetRawText();
    }

    // Text from a file goes into a message of one line: short, and without line ends.
    private static string Show(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= 60 ? line : string.Concat(line.AsSpan(0, 60), "...");
    }

    private TinyLlmException Fail(string what) => new($"{path}: {what}; {Remedy}");
}
