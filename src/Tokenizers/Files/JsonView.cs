using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Reads values of a <c>tokenizer.json</c>; what is missing or of another kind is refused with one line that names the
/// file.
/// </summary>
internal sealed class JsonView(string path)
{
    private const string Remedy = "use a byte-level BPE tokenizer.json (GPT-2, Llama 3, Qwen) or one that `tinyllm "
        + "tokenizer train` wrote.";

    /// <summary>A property that must be there.</summary>
    public JsonElement Get(JsonElement element, string name) =>
        TryGet(element, name) ?? throw Fail($"\"{name}\" is missing; expected a Hugging Face tokenizer.json");

    /// <summary>A property that may be missing or null.</summary>
    public static JsonElement? TryGet(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    /// <summary>A flag that may be missing.</summary>
    public static bool Flag(JsonElement element, string name, bool fallback) =>
        TryGet(element, name) is { ValueKind: not JsonValueKind.Null } value ? value.GetBoolean() : fallback;

    /// <summary>The <c>type</c> of an object, "null" where there is none.</summary>
    public string TypeOf(JsonElement? element) =>
        element is not { ValueKind: not JsonValueKind.Null } value ? "null"
        : Show(Get(value, "type").GetString() ?? "null");

    /// <summary>The objects that a Sequence has under <paramref name="list"/>; any other object alone.</summary>
    public JsonElement[] Steps(JsonElement element, string list) =>
        TypeOf(element) == "Sequence" ? [.. Get(element, list).EnumerateArray()] : [element];

    /// <summary>Text from a file in a message of one line: short, and without line ends.</summary>
    public static string Show(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= 60 ? line : string.Concat(line.AsSpan(0, 60), "...");
    }

    /// <summary>The refusal of a file.</summary>
    public TinyLlmException Fail(string what) => new($"{path}: {what}; {Remedy}");
}
