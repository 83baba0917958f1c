using System.Text;
using System.Text.Json;

namespace TinyLlm.Data.Sources;

/// <summary>Takes the text out of JSON lines, without a tree of objects.</summary>
/// <param name="field">The name of the field.</param>
internal sealed class JsonTextField(string field)
{
    private const int NamesShown = 20;

    private readonly byte[] name = Encoding.UTF8.GetBytes(field);
    private byte[] unescaped = [];

    /// <summary>Whether the last line was an object with the field, whatever its value.</summary>
    public bool HasField { get; private set; }

    /// <summary>Whether the last line was a JSON object.</summary>
    public bool IsObject { get; private set; }

    /// <summary>
    /// The text of a line; null, with the reason, if the line is bad. If the field is there twice, the last counts.
    /// </summary>
    /// <param name="line">One JSON object.</param>
    /// <param name="reason">What is wrong.</param>
    /// <returns>The text, valid until the next call and as long as the line is.</returns>
    public ReadOnlyMemory<byte>? Read(ReadOnlyMemory<byte> line, out string reason)
    {
        (HasField, IsObject) = (false, false);
        try
        {
            return ReadObject(line, out reason);
        }
        catch (JsonException e)
        {
            // The message goes on with a line number, which is always 0 here.
            reason = JsonText.IsTooDeep(e) ? JsonText.Fault(e)
                : $"this is no JSON ({e.Message.Split(" LineNumber:")[0].ReplaceLineEndings(" ").TrimEnd('.')})";
        }
        catch (InvalidOperationException)
        {
            reason = $"the field \"{field}\" has half of a surrogate pair, or is not valid UTF-8";
        }

        return null;
    }

    private ReadOnlyMemory<byte>? ReadObject(ReadOnlyMemory<byte> line, out string reason)
    {
        var reader = new Utf8JsonReader(line.Span, JsonText.ReaderOptions);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            JsonTokenType first = reader.TokenType;
            reader.Skip();
            reader.Read();
            reason = $"this is {Describe(first)}; expected a JSON object";
            return null;
        }

        ReadOnlyMemory<byte>? text = null;
        reason = "";
        bool found = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isField = reader.ValueTextEquals(name);
            reader.Read();
            if (isField)
            {
                found = true;
                text = reader.TokenType == JsonTokenType.String ? Text(line, ref reader) : (ReadOnlyMemory<byte>?)null;
                reason = $"the field \"{field}\" is {Describe(reader.TokenType)}; expected a string";
            }

            reader.Skip();
        }

        // Whatever follows the object makes the line bad.
        reader.Read();
        (HasField, IsObject) = (found, true);
        if (!found)
            reason = $"there is no field \"{field}\" among its fields ({Names(line.Span)})";
        return text;
    }

    private static string Names(ReadOnlySpan<byte> line)
    {
        var names = new List<string>();
        var reader = new Utf8JsonReader(line, JsonText.ReaderOptions);
        while (reader.Read() && names.Count <= NamesShown)
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                names.Add(names.Count == NamesShown ? "..." : Encoding.UTF8.GetString(reader.ValueSpan));
        }

        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private ReadOnlyMemory<byte> Text(ReadOnlyMemory<byte> line, ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped)
            return line.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        if (unescaped.Length < reader.ValueSpan.Length)
            unescaped = new byte[Math.Max(reader.ValueSpan.Length, 2 * unescaped.Length)];
        return unescaped.AsMemory(0, reader.CopyString(unescaped));
    }

    private static string Describe(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null",
        _ => "a string",
    };
}
