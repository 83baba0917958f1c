using System.Text;
using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Reads GPT-2's own two files: <c>vocab.json</c> (token to id, in the byte-level alphabet) and <c>merges.txt</c> (a
/// merge a line, in the order of their learning). No chat tokens are added: published weights may go with these ids,
/// and have a row for each and no more.
/// </summary>
internal static class Gpt2Files
{
    /// <summary>The file of tokens.</summary>
    public const string VocabularyFile = "vocab.json";

    /// <summary>The file of merges.</summary>
    public const string MergesFile = "merges.txt";

    private static readonly string endOfText = Tokenizer.SpecialTokens[0];

    /// <summary>Builds the tokenizer from the bytes of both files; the paths name them in messages.</summary>
    /// <exception cref="TinyLlmException">A file is malformed, ids have gaps or duplicates, a merge is of unknown
    /// tokens, or there is no end of text.</exception>
    public static ByteLevelBpeTokenizer Read(byte[] vocabulary, string vocabularyPath, byte[] merges, string mergesPath)
    {
        var ids = ReadVocabulary(vocabulary, vocabularyPath);
        if (!ids.Remove(endOfText, out int end))
            throw Fail(vocabularyPath, $"there is no {endOfText}");

        var tokens = new byte[]?[ids.Count + 1];
        foreach (var (text, id) in ids)
        {
            if (id < 0 || id >= tokens.Length || tokens[id] is not null || id == end)
            {
                throw Fail(vocabularyPath, $"the token '{JsonView.Show(text)}' has id {id}, which is another's or "
                    + $"beyond {tokens.Length - 1}; ids must have no gaps or duplicates");
            }

            tokens[id] = ByteLevelAlphabet.ToBytes(text)
                ?? throw Fail(
                    vocabularyPath, $"the token '{JsonView.Show(text)}' (id {id}) is not in byte-level characters");
        }

        for (int b = 0; b < 256; b++)
        {
            if (!ids.ContainsKey(ByteLevelAlphabet.ToText([(byte)b])))
                throw Fail(vocabularyPath, $"byte 0x{b:X2} has no token");
        }

        var lines = Encoding.UTF8.GetString(merges).Split('\n').Select(line => line.TrimEnd('\r'))
            .Where((line, i) => line.Length > 0 && !(i == 0 && line.StartsWith("#version", StringComparison.Ordinal)));
        var resolved = BpeMerges.Resolve(lines.Select(line => line.Split(' ')), ids, what => Fail(mergesPath, what));
        return new ByteLevelBpeTokenizer(
            tokens, resolved, new AddedTokens([new AddedToken(endOfText, end)]), PreTokenizer.Gpt2);
    }

    private static Dictionary<string, int> ReadVocabulary(byte[] json, string path)
    {
        try
        {
            using var document = JsonText.Parse(json);
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (!ids.TryAdd(entry.Name, entry.Value.GetInt32()))
                    throw Fail(path, $"the token '{JsonView.Show(entry.Name)}' occurs twice");
            }

            return ids;
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path}: {JsonText.Fault(e)}; expected GPT-2's vocab.json; copy the file "
                + "again.", e);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw Fail(path, $"a value is of the wrong type ({e.Message.TrimEnd('.')})");
        }
    }

    private static TinyLlmException Fail(string path, string what) =>
        new($"{path}: {what}; expected GPT-2's {VocabularyFile} and {MergesFile}; copy both files again, or use the "
        + "tokenizer.json that goes with them.");
}
