using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyLlm.Tokenizers;

/// <summary>
/// What the files beside a vocabulary say of it, kept as they were read, so that it is still there in what is saved:
/// the tokens that begin and end a text and the chat template (<c>tokenizer_config.json</c>,
/// <c>chat_template.jinja</c>), the ids that end a text (<c>config.json</c>, <c>generation_config.json</c>), and how a
/// model is best sampled (the last).
/// </summary>
/// <remarks>
/// Read by <see cref="TokenizerNotesReader"/>. A tokenizer that was made here has none, and its files say what follows
/// from its tokens.
/// </remarks>
public sealed record TokenizerNotes
{
    internal const string TemplateField = "chat_template", EndField = "eos_token", EndIdsField = "eos_token_id";

    private static readonly Dictionary<string, JsonElement> noFields = [];
    private static readonly JsonSerializerOptions indented = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>Of a tokenizer that was made here.</summary>
    internal static TokenizerNotes None { get; } = new();

    /// <summary>What is kept of <c>tokenizer_config.json</c>, by field; null where there is no such file.</summary>
    internal IReadOnlyDictionary<string, JsonElement>? Config { get; init; }

    /// <summary>Chat templates in files of their own: the path in the folder, and the bytes.</summary>
    internal IReadOnlyList<(string Path, byte[] Text)> TemplateFiles { get; init; } = [];

    /// <summary>What is kept of <c>config.json</c>, by field.</summary>
    internal IReadOnlyDictionary<string, JsonElement> Model { get; init; } = noFields;

    /// <summary>The text of <c>generation_config.json</c>; null where there is none.</summary>
    internal string? Generation { get; init; }

    /// <summary>
    /// The ids that <c>generation_config.json</c>, then those that <c>config.json</c> ends a text with, each with its
    /// file.
    /// </summary>
    internal IReadOnlyList<(string File, int Id)> Ends { get; init; } = [];

    /// <summary>Rows that <c>config.json</c> has for ids; 0 where it does not say.</summary>
    internal int Rows { get; init; }

    /// <summary>The file of <see cref="Config"/>, for messages.</summary>
    internal string ConfigPath { get; init; } = "";

    /// <summary>The name of the token that ends a text; null where <c>tokenizer_config.json</c> names none.</summary>
    internal string? EndToken => Name(EndField);

    /// <summary>
    /// The names of the tokens that begin, end and fill texts or stand for what is unknown: no user's text holds them.
    /// </summary>
    internal IReadOnlyCollection<string> Marks => [.. TokenizerNotesReader.TokenFields.Select(Name).OfType<string>()];

    /// <summary>All chat templates, one after another.</summary>
    internal string TemplateText => string.Join('\n', TemplateFiles.Select(file => Encoding.UTF8.GetString(file.Text))
        .Prepend(Config?.TryGetValue(TemplateField, out var template) == true ? Text(template) : ""));

    private bool HasTemplate => TemplateFiles.Count > 0 || Config?.ContainsKey(TemplateField) == true;

    /// <summary>
    /// These, and where they do not say something, what others say: adapters have the files of their base.
    /// </summary>
    internal TokenizerNotes Over(TokenizerNotes other)
    {
        var fields = new Dictionary<string, JsonElement>(other.Config ?? noFields, StringComparer.Ordinal);
        if (HasTemplate)
            fields.Remove(TemplateField);
        foreach (var (name, value) in Config ?? noFields)
            fields[name] = value;
        return this with
        {
            Config = Config is null && other.Config is null ? null : fields,
            TemplateFiles = HasTemplate ? TemplateFiles : other.TemplateFiles,
            Model = Model.Count > 0 ? Model : other.Model,
            Generation = Generation ?? other.Generation,
            Ends = [.. Ends, .. other.Ends],
            Rows = Math.Max(Rows, other.Rows),
        };
    }

    /// <summary>
    /// The same of a model that was taught to chat by our template: where there was none it has ours, and the token
    /// that ends a turn ends a text in other programs too.
    /// </summary>
    internal TokenizerNotes WithTurns(int turnEnd)
    {
        var config = Config;
        if (config is not null && !HasTemplate)
        {
            config = new Dictionary<string, JsonElement>(config, StringComparer.Ordinal)
            {
                [TemplateField] = JsonSerializer.SerializeToElement(ChatTemplate.Jinja),
            };
        }

        if (Generation is null)
            return this with { Config = config };

        // Other programs look into config.json only where this file names none.
        var generation = JsonText.Node(Generation).AsObject();
        int[] ends = [.. TokenizerNotesReader.Ids(generation[EndIdsField])];
        if (ends.Length == 0 && Model.TryGetValue(EndIdsField, out var ofModel))
            ends = [.. TokenizerNotesReader.Ids(JsonText.Node(ofModel.GetRawText()))];
        string ending = ends.Contains(turnEnd) ? Generation : Ending(generation, [.. ends, turnEnd]);
        return this with { Config = config, Generation = ending };
    }

    /// <summary>
    /// A <c>generation_config.json</c> for a folder without <c>config.json</c>: with all ids that the two files end a
    /// text with. Null where the tokenizer's own files tell them all.
    /// </summary>
    internal string? GenerationBeside(Tokenizer tokenizer)
    {
        var known = tokenizer.AddedTokens.KnownEndIds.Concat(EndTokenId(tokenizer) is int end ? [end] : []);
        if (!tokenizer.AddedTokens.Ends.Except(known).Any())
            return null;
        var generation = Generation is null ? [] : JsonText.Node(Generation).AsObject();
        int[] told = [.. Ends.Select(e => e.Id).Distinct()];
        bool hasAll = !told.Except(TokenizerNotesReader.Ids(generation[EndIdsField])).Any();
        return Generation is not null && hasAll ? Generation : Ending(generation, told);
    }

    /// <summary>The ids that end a text by these notes, each one of the vocabulary or of the model's rows.</summary>
    /// <exception cref="TinyLlmException">
    /// One is not, or the token that ends a text is none of the vocabulary.
    /// </exception>
    internal IReadOnlyList<int> EndIds(Tokenizer tokenizer)
    {
        int rows = Math.Max(Rows, tokenizer.VocabularySize);
        foreach (var (file, id) in Ends)
        {
            if (id < 0 || id >= rows)
            {
                throw new TinyLlmException($"{file}: {EndIdsField} has {id}; expected ids from 0 to {rows - 1}, "
                    + "those of the vocabulary; correct the field, or remove it.");
            }
        }

        var ids = Ends.Select(e => e.Id);
        return [.. EndToken is null ? ids : ids.Append(EndTokenId(tokenizer)!.Value)];
    }

    /// <summary>The id of <see cref="EndToken"/>.</summary>
    /// <exception cref="TinyLlmException">The vocabulary has no such token.</exception>
    internal int? EndTokenId(Tokenizer tokenizer) => EndToken is not { } name ? null : tokenizer.Find(name)
        ?? throw new TinyLlmException($"{ConfigPath}: {EndField} is '{JsonView.Show(name)}', which the vocabulary does "
            + "not have; expected one of its tokens; correct the field, or remove it.");

    /// <summary>A token of <c>tokenizer_config.json</c>: a name, or an object that has it as content.</summary>
    private string? Name(string field) =>
        Config?.TryGetValue(field, out var value) == true ? TokenizerNotesReader.TokenName(value) : null;

    private static string Ending(JsonObject generation, int[] ends)
    {
        generation[EndIdsField] = new JsonArray([.. ends.Select(id => JsonValue.Create(id))]);
        return generation.ToJsonString(indented) + "\n";
    }

    // A list of templates has objects with a name and a template.
    private static string Text(JsonElement template) => template.ValueKind switch
    {
        JsonValueKind.String => template.GetString()!,
        JsonValueKind.Array => string.Join('\n', template.EnumerateArray().Select(Text)),
        JsonValueKind.Object => string.Join('\n', template.EnumerateObject().Select(field => Text(field.Value))),
        _ => "",
    };
}
