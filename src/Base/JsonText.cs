using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyLlm;

/// <summary>
/// Parses the JSON of others, nested as deep as their files are: .NET's own limit of 64 levels is less than some
/// schemas of tools have.
/// </summary>
public static class JsonText
{
    /// <summary>Levels of nesting that are read. The parser goes down no call for a level, so that it costs memory
    /// alone.</summary>
    public const int MaxDepth = 1000;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>For a reader of tokens.</summary>
    public static JsonReaderOptions ReaderOptions => new() { MaxDepth = MaxDepth };

    /// <summary>Parses UTF-8.</summary>
    /// <param name="json">The text.</param>
    /// <param name="allowDuplicates">Whether an object may have a name twice; the last one counts.</param>
    /// <exception cref="JsonException">It is no JSON; the message says so where it is nested too deep.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, bool allowDuplicates = true)
    {
        try
        {
            return JsonDocument.Parse(json, Options with { AllowDuplicateProperties = allowDuplicates });
        }
        catch (JsonException e) when (IsTooDeep(e))
        {
            throw TooDeep(e);
        }
    }

    /// <summary>Parses a stream of UTF-8.</summary>
    /// <exception cref="JsonException">It is no JSON; the message says so where it is nested too deep.</exception>
    public static JsonDocument Parse(Stream json)
    {
        try
        {
            return JsonDocument.Parse(json, Options);
        }
        catch (JsonException e) when (IsTooDeep(e))
        {
            throw TooDeep(e);
        }
    }

    /// <summary>Parses a text that was parsed before into nodes that can be changed.</summary>
    public static JsonNode Node(string json) => JsonNode.Parse(json, documentOptions: Options)!;

    /// <summary>Whether UTF-8 is one JSON object.</summary>
    public static bool IsObject(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>What is wrong with JSON, in a few words: that it is nested too deep, or where it is no JSON.</summary>
    /// <param name="e">What the parser reported.</param>
    /// <param name="firstLine">The line of the file where the text begins, from 1; 0: the text is one line, and only
    /// the byte is told.</param>
    public static string Fault(JsonException e, long firstLine = 1) =>
        IsTooDeep(e) ? $"JSON nested deeper than {MaxDepth:N0} levels"
        : firstLine == 0 ? $"no valid JSON at byte {e.BytePositionInLine + 1}"
        : $"no valid JSON at line {firstLine + e.LineNumber}, byte {e.BytePositionInLine + 1}";

    /// <summary>Whether the parser gave up because the text is nested too deep.</summary>
    // It has no code for that; a test sees to it that its words stay the same.
    public static bool IsTooDeep(JsonException e) => e.Message.Contains("maximum configured depth",
        StringComparison.Ordinal) || e.InnerException is JsonException inner && IsTooDeep(inner);

    private static JsonException TooDeep(JsonException e) =>
        new($"nested deeper than {MaxDepth:N0} levels", e.Path, e.LineNumber, e.BytePositionInLine, e);
}
