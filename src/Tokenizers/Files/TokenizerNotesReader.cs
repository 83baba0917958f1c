using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyLlm.Tokenizers;

/// <summary>Reads the files beside a vocabulary.</summary>
internal static class TokenizerNotesReader
{
    /// <summary>The file that says how a model is best sampled, and what ends its texts.</summary>
    public const string GenerationFile = "generation_config.json";

    /// <summary>A chat template in a file of its own.</summary>
    public const string TemplateFile = "chat_template.jinja";

    /// <summary>The folder of further chat templates.</summary>
    public const string TemplateFolder = "additional_chat_templates";

    /// <summary>The fields of <c>tokenizer_config.json</c> that name a token.</summary>
    public static readonly string[] TokenFields = ["bos_token", TokenizerNotes.EndField, "pad_token", "unk_token"];

    private static readonly string[] otherFields = ["add_bos_token", "add_eos_token", TokenizerNotes.TemplateField];
    private static readonly string[] idFields = ["bos_token_id", TokenizerNotes.EndIdsField, "pad_token_id"];

    /// <summary>Reads the notes of a folder.</summary>
    /// <exception cref="TinyLlmException">
    /// A file cannot be read or is no JSON object, or a token or an id that ends a text is of the wrong type.
    /// </exception>
    public static TokenizerNotes Read(string folder)
    {
        string configPath = Path.Combine(folder, TokenizerFolder.ConfigFile);
        string modelPath = Path.Combine(folder, "config.json"), generationPath = Path.Combine(folder, GenerationFile);
        var config = Fields(configPath, [.. TokenFields, .. otherFields]);
        foreach (var (name, value) in config ?? [])
        {
            if (TokenFields.Contains(name) && value.ValueKind != JsonValueKind.Null && TokenName(value) is null)
            {
                string found = JsonView.Show(value.GetRawText());
                throw new TinyLlmException($"{configPath}: {name} is {found}; expected the name of a token, "
                    + "an object with its \"content\", or null; correct the field.");
            }
        }

        var model = Fields(modelPath, [.. idFields, "vocab_size"]) ?? [];
        model.Remove("vocab_size", out var rows);
        byte[]? generation = TokenizerFolder.ReadFile(generationPath);
        var ofGeneration = generation is null ? []
            : Fields(generationPath, generation, [TokenizerNotes.EndIdsField], isWrittenAgain: true);
        return new TokenizerNotes
        {
            Config = config,
            ConfigPath = configPath,
            TemplateFiles = ReadTemplates(folder),
            Model = model,
            Generation = generation is null ? null : Encoding.UTF8.GetString(generation),
            Ends = [.. Ends(generationPath, ofGeneration), .. Ends(modelPath, model)],
            Rows = rows.ValueKind == JsonValueKind.Number && rows.TryGetInt32(out int count) ? count : 0,
        };
    }

    /// <summary>The name of a token: a text, or an object that has it as content; null for anything else.</summary>
    public static string? TokenName(JsonElement value)
    {
        var name = value.ValueKind == JsonValueKind.Object ? JsonView.TryGet(value, "content") : value;
        return name is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
    }

    /// <summary>Ids that were checked when they were read: one, a list, or none.</summary>
    public static IEnumerable<int> Ids(JsonNode? value) => value switch
    {
        null => [],
        JsonArray list => list.Select(id => id!.GetValue<int>()),
        _ => [value.GetValue<int>()],
    };

    private static List<(string File, int Id)> Ends(string path, Dictionary<string, JsonElement> fields)
    {
        var ends = new List<(string File, int Id)>();
        if (!fields.TryGetValue(TokenizerNotes.EndIdsField, out var value) || value.ValueKind == JsonValueKind.Null)
            return ends;
        JsonElement[] elements = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        foreach (var element in elements)
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id))
            {
                string found = JsonView.Show(value.GetRawText());
                throw new TinyLlmException($"{path}: {TokenizerNotes.EndIdsField} is {found}; "
                    + "expected a token id, a list of them, or null; correct the field.");
            }

            ends.Add((path, id));
        }

        return ends;
    }

    private static Dictionary<string, JsonElement>? Fields(string path, string[] names) =>
        TokenizerFolder.ReadFile(path) is { } bytes ? Fields(path, bytes, names) : null;

    // Those that the file has. Other programs write it, and what it says otherwise is theirs. What is written again
    // must say each thing once.
    private static Dictionary<string, JsonElement> Fields(
        string path, byte[] bytes, string[] names, bool isWrittenAgain = false)
    {
        try
        {
            using var document = JsonText.Parse(bytes, allowDuplicates: !isWrittenAgain);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new JsonException("the top level is no object");
            var fields = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (string name in names)
            {
                if (document.RootElement.TryGetProperty(name, out var value))
                    fields.Add(name, value.Clone());
            }

            return fields;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new TinyLlmException($"{path} is not valid JSON ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); "
                + $"expected a Hugging Face {Path.GetFileName(path)}; copy the file again.", e);
        }
    }

    private static List<(string Path, byte[] Text)> ReadTemplates(string folder)
    {
        var names = new List<string> { TemplateFile };
        string more = Path.Combine(folder, TemplateFolder);
        try
        {
            if (Directory.Exists(more))
            {
                var files = Directory.GetFiles(more, "*.jinja").Select(path => Path.GetFileName(path));
                names.AddRange(files.Order(StringComparer.Ordinal).Select(name => Path.Combine(TemplateFolder, name)));
            }
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(more, e);
        }

        var templates = new List<(string Path, byte[] Text)>();
        foreach (string name in names)
        {
            if (TokenizerFolder.ReadFile(Path.Combine(folder, name)) is { } text)
                templates.Add((name, text));
        }

        return templates;
    }
}
