using System.Text;
using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Reads the parts of <c>tokenizer.json</c> that say how byte-level BPE works: pre-tokenizer, merges, post-processor.
/// </summary>
internal sealed class BpeJsonReader(JsonView view)
{
    /// <summary>
    /// Builds the tokenizer (byte where text is not cut, else bpe) from the tokens by id and the file's other parts.
    /// </summary>
    public Tokenizer Read(
        JsonElement root, string[] tokens, Dictionary<string, int> ids, List<AddedToken> added, string? endOfText,
        bool normalizes)
    {
        var model = view.Get(root, "model");
        var preTokenizer = ReadPreTokenizer(view.Get(root, "pre_tokenizer"));
        CheckPlain(model);
        var addedTokens = ReadAdded(root, added, endOfText, normalizes);
        var merges = BpeMerges.Resolve(view.Get(model, "merges").EnumerateArray().Select(Parts), ids, view.Fail);
        var merged = CheckMerged(merges, tokens, ids, addedTokens);
        var bytes = new byte[tokens.Length][];
        for (int id = 0; id < tokens.Length; id++)
        {
            bool isOrdinary = addedTokens.Find(id) is null || merged.Contains(id);
            bytes[id] = !isOrdinary ? [] : ByteLevelAlphabet.ToBytes(tokens[id])
                ?? throw view.Fail(
                    $"the token '{JsonView.Show(tokens[id])}' (id {id}) is not in byte-level characters");
        }

        for (int b = 0; b < 256; b++)
        {
            if (!ids.TryGetValue(ByteLevelAlphabet.ToText([(byte)b]), out int id) || addedTokens.Find(id) is not null)
                throw view.Fail($"byte 0x{b:X2} has no token; expected all 256");
        }

        if (preTokenizer is not null)
        {
            return new ByteLevelBpeTokenizer(
                bytes, merges, addedTokens, preTokenizer, JsonView.Flag(model, "ignore_merges", fallback: false),
                normalizes);
        }

        if (normalizes)
            throw view.Fail("the normalizer is NFC; expected null where text is not cut (byte)");
        if (merges.Count > 0 || tokens.Length != 256 + Tokenizer.SpecialTokens.Count
            || bytes[..256].Where((t, id) => t.Length != 1 || t[0] != id).Any())
        {
            throw view.Fail($"ByteLevel does not cut text (use_regex is false), but there are {merges.Count} merges "
                + $"and {tokens.Length} tokens; expected 256 bytes in order and our special tokens (byte), or a "
                + "pattern (bpe)");
        }

        return new ByteTokenizer();
    }

    /// <summary>The pattern of a Split.</summary>
    public static string Pattern(JsonElement pattern) =>
        JsonView.TryGet(pattern, "Regex") is { } regex ? regex.GetString() ?? "" : pattern.GetRawText();

    /// <summary>The pattern that text is cut by; null for bytes alone.</summary>
    private PreTokenizer? ReadPreTokenizer(JsonElement element)
    {
        var steps = view.Steps(element, "pretokenizers");
        string found = string.Join(" + ", steps.Select(step => view.TypeOf(step)));
        if (found is not ("ByteLevel" or "Split + ByteLevel"))
            throw view.Fail($"the pre-tokenizer is {JsonView.Show(found)}; expected ByteLevel, or Split + ByteLevel");
        if (view.Get(steps[^1], "add_prefix_space").GetBoolean())
            throw view.Fail("ByteLevel has add_prefix_space; expected false");
        bool cutsByItself = JsonView.Flag(steps[^1], "use_regex", fallback: true);
        if (steps.Length == 1)
            return cutsByItself ? PreTokenizer.Gpt2 : null;
        if (cutsByItself)
            throw view.Fail("ByteLevel has use_regex behind a Split; expected false");

        string pattern = Pattern(view.Get(steps[0], "pattern"));
        var split = PreTokenizer.All.FirstOrDefault(p => p.Regex == pattern)
            ?? throw view.Fail($"the Split pattern is '{JsonView.Show(pattern)}'; expected that of GPT-2, cl100k "
            + "(Llama 3), Qwen2 or o200k");

        // The patterns match every character, so both keep all the matches and nothing else.
        string? behavior = view.Get(steps[0], "behavior").GetString();
        bool invert = JsonView.Flag(steps[0], "invert", fallback: false);
        return (behavior, invert) is ("Isolated", _) or ("Removed", true) ? split
            : throw view.Fail($"the behavior of Split is {behavior}; expected Isolated, or Removed with invert");
    }

    private void CheckPlain(JsonElement model)
    {
        foreach (string option in (string[])["dropout", "continuing_subword_prefix", "end_of_word_suffix",
            "byte_fallback"])
        {
            bool plain = JsonView.TryGet(model, option) is not { } value
                || value.ValueKind is JsonValueKind.Null or JsonValueKind.False
                || value.ValueKind == JsonValueKind.String && value.GetString() == "";
            if (!plain)
            {
                throw view.Fail(
                    $"model.{option} is {view.Get(model, option).GetRawText()}; expected null, false or empty");
            }
        }
    }

    /// <summary>
    /// The added tokens that merges are of or make. A text may become one only where it is the same text either way.
    /// </summary>
    private HashSet<int> CheckMerged(
        List<(int Left, int Right)> merges, string[] tokens, Dictionary<string, int> ids, AddedTokens added)
    {
        var among = added.Items.Where(t => ids.ContainsKey(t.Text))
            .ToDictionary(t => t.Text, t => t.Id, StringComparer.Ordinal);
        var amongIds = among.Values.ToHashSet();
        var lengths = among.Keys.Select(name => name.Length).ToHashSet();
        var merged = new HashSet<int>();
        foreach (var (left, right) in merges)
        {
            foreach (int id in (ReadOnlySpan<int>)[left, right])
            {
                if (amongIds.Contains(id))
                    merged.Add(id);
            }

            bool mayMake = lengths.Contains(tokens[left].Length + tokens[right].Length);
            if (mayMake && among.TryGetValue(tokens[left] + tokens[right], out int made))
                merged.Add(made);
        }

        foreach (int id in merged)
        {
            byte[] name = Encoding.UTF8.GetBytes(tokens[id]);
            bool isSame = ByteLevelAlphabet.ToBytes(tokens[id]) is { } bytes && bytes.SequenceEqual(name);
            if (!added.IsText(id) || !isSame)
            {
                throw view.Fail($"a merge makes or takes the added token '{JsonView.Show(tokens[id])}' (id {id}), "
                    + "which is no ordinary text; expected merges of ordinary tokens");
            }
        }

        return merged;
    }

    // Both forms of a merge: "a b" and ["a", "b"].
    private static string[] Parts(JsonElement merge) => merge.ValueKind == JsonValueKind.Array
        ? [.. merge.EnumerateArray().Select(p => p.GetString() ?? "")]
        : (merge.GetString() ?? "").Split(' ');

    private AddedTokens ReadAdded(JsonElement root, List<AddedToken> added, string? endOfText, bool normalizes)
    {
        var around = ReadPostProcessor(root, added);
        if (!added.Any(t => AddedTokens.KnownEnds.Contains(t.Text)) && !added.Any(t => t.Text == endOfText))
        {
            throw view.Fail($"no added token ends a text; expected {string.Join(" or ", AddedTokens.KnownEnds)}, or "
                + "eos_token in tokenizer_config.json");
        }

        var same = added.Where(t => t.IsNormalized && normalizes)
            .GroupBy(t => Nfc.Normalize(t.Text).ToString(), StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (same is not null)
        {
            string which = string.Join(" and ", same.Select(t => t.Id));
            throw view.Fail($"the added tokens with ids {which} are one text under the normalizer, "
                + $"'{JsonView.Show(same.Key)}'; expected distinct tokens");
        }

        bool endIsKnown = added.Any(t => AddedTokens.KnownEnds.Contains(t.Text));
        return new AddedTokens(added, endIsKnown ? null : endOfText, around, normalizes);
    }

    /// <summary>What the post-processor puts around a text, null if there is none or nothing.</summary>
    private AroundText? ReadPostProcessor(JsonElement root, List<AddedToken> added)
    {
        if (JsonView.TryGet(root, "post_processor") is not { ValueKind: not JsonValueKind.Null } processor)
            return null;

        AroundText? around = null;
        foreach (var step in view.Steps(processor, "processors"))
        {
            string type = view.TypeOf(step);
            if (type == "ByteLevel")
                continue; // changes offsets alone
            if (type != "TemplateProcessing")
                throw view.Fail($"the post-processor is {type}; expected ByteLevel or TemplateProcessing");
            if (around is not null)
                throw view.Fail("the post-processor has two TemplateProcessing; expected one");
            around = AroundText.Read(step, view, added);
        }

        return around;
    }
}
