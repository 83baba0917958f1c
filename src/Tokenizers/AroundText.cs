using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// What Hugging Face's library puts around a text where the caller asks for special tokens: the post-processor
/// <c>TemplateProcessing</c>. Of it our own encoding takes the token that begins a document; the rest is kept for those
/// who read the file after us.
/// </summary>
/// <param name="Single">The tokens around a text, in order.</param>
/// <param name="Pair">Those around two texts.</param>
/// <param name="Tokens">The ids that each name stands for, and their names.</param>
internal sealed record AroundText(
    IReadOnlyList<AroundText.Part> Single, IReadOnlyList<AroundText.Part> Pair, IReadOnlyList<AroundText.Token> Tokens)
{
    /// <summary>A text, or a token's name.</summary>
    internal readonly record struct Part(bool IsText, string Name, int TypeId);

    /// <summary>What a name stands for.</summary>
    internal sealed record Token(string Name, int[] Ids, string[] Texts);

    /// <summary>The name of the token that begins a text, null if there is none.</summary>
    public string? Start => Single[0].IsText ? null : Texts(Single[0].Name)[0];

    /// <summary>The names of all tokens.</summary>
    public IEnumerable<string> Names => Tokens.SelectMany(t => t.Texts);

    /// <summary>Reads a <c>TemplateProcessing</c>.</summary>
    /// <param name="element">Its object.</param>
    /// <param name="view">Refuses what is missing.</param>
    /// <param name="added">The added tokens.</param>
    /// <exception cref="TinyLlmException">
    /// It is malformed, puts several tokens before a text, or one that is not among the added tokens.
    /// </exception>
    public static AroundText Read(JsonElement element, JsonView view, List<AddedToken> added)
    {
        var tokens = new List<Token>();
        var single = ReadParts("single", ["A"]);
        int before = single.TakeWhile(part => !part.IsText).Count();
        if (before == single.Count)
            throw view.Fail("the post-processor has no text between its tokens; expected Sequence A in \"single\"");
        if (before > 1)
            throw view.Fail($"the post-processor puts {before} tokens before a text; expected one or none");
        var around = new AroundText(single, ReadParts("pair", ["A", "B"]), tokens);
        int first = before == 0 ? 0 : around.Texts(single[0].Name).Length;
        return first <= 1 ? around
            : throw view.Fail($"the post-processor puts {first} tokens before a text; expected one or none");

        List<Part> ReadParts(string property, string[] texts)
        {
            var parts = new List<Part>();
            foreach (var item in view.Get(element, property).EnumerateArray())
            {
                bool isText = JsonView.TryGet(item, "Sequence") is not null;
                var part = view.Get(item, isText ? "Sequence" : "SpecialToken");
                string name = view.Get(part, "id").GetString() ?? "";
                parts.Add(new Part(isText, name, JsonView.TryGet(part, "type_id")?.GetInt32() ?? 0));
                if (isText && !texts.Contains(name))
                {
                    throw view.Fail($"the post-processor has a Sequence '{JsonView.Show(name)}' in \"{property}\"; "
                        + $"expected {string.Join(" and ", texts)}");
                }

                if (!isText && tokens.TrueForAll(t => t.Name != name))
                    tokens.Add(ReadToken(name, parts.Exists(p => p.IsText) ? "behind" : "before"));
            }

            return parts;
        }

        Token ReadToken(string name, string where)
        {
            var token = view.Get(view.Get(element, "special_tokens"), name);
            int[] ids = [.. view.Get(token, "ids").EnumerateArray().Select(id => id.GetInt32())];
            string[] texts = [.. ids.Select(id => added.Find(t => t.Id == id)?.Text).OfType<string>()];
            return ids.Length > 0 && texts.Length == ids.Length ? new Token(name, ids, texts)
                : throw view.Fail($"the post-processor puts '{JsonView.Show(name)}' {where} a text; "
                    + "expected one of the added tokens");
        }
    }

    /// <summary>Writes it as the property <c>post_processor</c>.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("post_processor");
        writer.WriteString("type", "TemplateProcessing");
        WriteParts("single", Single);
        WriteParts("pair", Pair);
        writer.WriteStartObject("special_tokens");
        foreach (var (name, ids, texts) in Tokens)
        {
            writer.WriteStartObject(name);
            writer.WriteString("id", name);
            writer.WriteStartArray("ids");
            foreach (int id in ids)
                writer.WriteNumberValue(id);
            writer.WriteEndArray();
            writer.WriteStartArray("tokens");
            foreach (string text in texts)
                writer.WriteStringValue(text);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        writer.WriteEndObject();

        void WriteParts(string property, IReadOnlyList<Part> parts)
        {
            writer.WriteStartArray(property);
            foreach (var (isText, name, type) in parts)
            {
                writer.WriteStartObject();
                writer.WriteStartObject(isText ? "Sequence" : "SpecialToken");
                writer.WriteString("id", name);
                writer.WriteNumber("type_id", type);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }
    }

    private string[] Texts(string name) => Tokens.First(t => t.Name == name).Texts;
}
