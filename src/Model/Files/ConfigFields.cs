using System.Text.Json;

namespace TinyLlm.Model;

/// <summary>
/// The fields of a JSON object that describes a model. Each is asked for by name: a value of another type or one that
/// is not supported is refused with the file and the field, and the names that nobody asked for can be told
/// (<see cref="Unread"/>), so that none is passed over in silence.
/// </summary>
/// <param name="path">The file, for messages.</param>
/// <param name="json">The object.</param>
/// <param name="prefix">What stands before a field's name in messages, such as <c>rope_scaling.</c></param>
internal sealed class ConfigFields(string path, JsonElement json, string prefix = "")
{
    private readonly HashSet<string> asked = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ConfigFields> objects = new(StringComparer.Ordinal);

    /// <summary>Reads a file that holds one object; a byte order mark, which some editors write, is left out.</summary>
    /// <exception cref="JsonException">It is no JSON, or no object.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static JsonDocument Parse(string path)
    {
        byte[] json = File.ReadAllBytes(path);
        var document = JsonText.Parse(json.AsSpan().StartsWith("\uFEFF"u8) ? json.AsMemory(3) : json);
        return document.RootElement.ValueKind == JsonValueKind.Object ? document
            : throw new JsonException("the top level is no object");
    }

    /// <summary>
    /// The names, as messages call them, of the fields that have a value, were not asked for and are not among the
    /// given; also those of the objects that were asked for.
    /// </summary>
    public IEnumerable<string> Unread(IReadOnlySet<string> harmless) => json.EnumerateObject()
        .Where(field => field.Value.ValueKind != JsonValueKind.Null && !asked.Contains(field.Name)
        && !harmless.Contains(field.Name))
        .Select(field => prefix + field.Name).Distinct()
        .Concat(objects.Values.SelectMany(fields => fields.Unread(harmless)));

    /// <summary>Takes a field as read although its value does not count.</summary>
    public void Pass(string name) => asked.Add(name);

    /// <summary>A whole number; the fallback where it is absent.</summary>
    /// <exception cref="TinyLlmException">It is absent and there is no fallback, or it is no whole number.</exception>
    public int Integer(string name, int? fallback = null)
    {
        if (Find(name) is not { } value)
            return fallback ?? throw Missing(name, "a whole number");
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number
            : throw WrongType(name, value, "a whole number");
    }

    /// <summary>A number; the fallback where it is absent.</summary>
    /// <exception cref="TinyLlmException">It is absent and there is no fallback, or it is no finite number.</exception>
    public double Number(string name, double? fallback = null)
    {
        if (Find(name) is not { } value)
            return fallback ?? throw Missing(name, "a number");
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number)
            && double.IsFinite(number)
            ? number
            : throw WrongType(name, value, "a number");
    }

    /// <summary>Whether a field is a text.</summary>
    public bool IsText(string name) => Find(name) is { ValueKind: JsonValueKind.String };

    /// <summary>A list of texts.</summary>
    /// <exception cref="TinyLlmException">It is absent, no list, or has something else.</exception>
    public string[] Texts(string name)
    {
        if (Find(name) is not { } list)
            throw Missing(name, "a list of names");
        return list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().All(value => value.ValueKind == JsonValueKind.String)
            ? [.. list.EnumerateArray().Select(value => value.GetString()!)]
            : throw WrongType(name, list, "a list of names");
    }

    /// <summary>A text; null where it is absent.</summary>
    /// <exception cref="TinyLlmException">It is no text.</exception>
    public string? Text(string name) => Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw WrongType(name, value, "a text");

    /// <summary>A text that must be there.</summary>
    /// <param name="expected">What it is, for the message.</param>
    /// <exception cref="TinyLlmException">It is absent or no text.</exception>
    public string Text(string name, string expected) => Text(name) ?? throw Missing(name, expected);

    /// <summary>True or false; the fallback where it is absent.</summary>
    /// <exception cref="TinyLlmException">It is neither.</exception>
    public bool Flag(string name, bool fallback) => Find(name) is not { } value ? fallback
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw WrongType(name, value, "true or false");

    /// <summary>The fields of an object; null where it is absent or empty.</summary>
    /// <exception cref="TinyLlmException">It is no object.</exception>
    public ConfigFields? Object(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Object)
            throw WrongType(name, value, "an object");
        return value.EnumerateObject().Any() ? objects[name] = new ConfigFields(path, value, $"{prefix}{name}.") : null;
    }

    /// <summary>A size over a number that divides it.</summary>
    /// <exception cref="TinyLlmException">It does not.</exception>
    public int Divide(string name, int value, string byName, int by) => by > 0 && value % by == 0
        ? value / by
        : throw new TinyLlmException($"{path}: {byName} {by} does not divide {name} {value}.");

    /// <summary>Refuses a text other than the given; absent, it is the first.</summary>
    /// <exception cref="TinyLlmException">It is another.</exception>
    public void Expect(string name, params ReadOnlySpan<string> allowed)
    {
        string value = Text(name) ?? allowed[0];
        if (!allowed.Contains(value))
            throw Fault(name, $"is \"{Show(value)}\"", string.Join(" or ", allowed!));
    }

    /// <summary>Refuses a flag that is not as the models here are; absent, it is.</summary>
    /// <exception cref="TinyLlmException">It is the other value.</exception>
    public void Expect(string name, bool allowed)
    {
        if (Flag(name, allowed) != allowed)
            throw Fault(name, allowed ? "is false" : "is true", allowed ? "true" : "false");
    }

    /// <summary>Refuses a number other than the given; absent, it is that.</summary>
    /// <exception cref="TinyLlmException">It is another.</exception>
    public void Expect(string name, double allowed)
    {
        double value = Number(name, allowed);
        if (value != allowed)
            throw Fault(name, FormattableString.Invariant($"is {value}"), FormattableString.Invariant($"{allowed}"));
    }

    /// <summary>Refuses a list with any other text than the given.</summary>
    /// <exception cref="TinyLlmException">It has one, or is no list of texts.</exception>
    public void ExpectAll(string name, string allowed)
    {
        if (Find(name) is not { } list)
            return;
        if (list.ValueKind != JsonValueKind.Array)
            throw WrongType(name, list, "a list");
        foreach (var value in list.EnumerateArray())
        {
            if (value.ValueKind != JsonValueKind.String || value.GetString() != allowed)
                throw Fault(name, $"has {Show(value.GetRawText())}", $"\"{allowed}\" for each layer");
        }
    }

    /// <summary>Refuses a field that has a value other than an empty list, an empty object or false.</summary>
    /// <exception cref="TinyLlmException">It has.</exception>
    public void ExpectNone(string name)
    {
        bool isNone = Find(name) is not { } value || value.ValueKind == JsonValueKind.False
            || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0)
            || (value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any());
        if (!isNone)
            throw Fault(name, $"is {Show(Find(name)!.Value.GetRawText())}", "none");
    }

    /// <summary>The refusal of a field's value.</summary>
    public TinyLlmException Fault(string name, string what, string expected) =>
        new($"{path}: {prefix}{name} {what}, which is not supported here; expected {expected}.");

    // Null is as good as absent.
    private JsonElement? Find(string name)
    {
        asked.Add(name);
        return json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    private TinyLlmException Missing(string name, string expected) =>
        new($"{path}: {prefix}{name} is missing; expected {expected}.");

    private TinyLlmException WrongType(string name, JsonElement value, string expected) =>
        new($"{path}: {prefix}{name} is {Show(value.GetRawText())}; expected {expected}.");

    // What a stranger wrote, on one line that is not long.
    private static string Show(string text)
    {
        const int Most = 60;
        string line = string.Concat(text.Take(Most + 1).Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= Most ? line : line[..Most] + "...";
    }
}
