using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Training.Data;

/// <summary>One row of finetuning data.</summary>
/// <param name="Messages">The turns in order, at least one.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages)
{
    /// <summary>What comes before the first answer.</summary>
    public IReadOnlyList<ChatMessage> FirstPrompt => [.. Messages.TakeWhile(m => m.Role != ChatTemplate.Assistant)];
}

/// <summary>
/// Reads finetuning rows from JSON Lines (one object a line, blank lines allowed; UTF-8, or what a byte order mark says; compressed or not). A row has one of these forms; other fields
/// are ignored:
/// <list type="bullet">
/// <item><c>{"messages": [{"role": "system" | "user" | "assistant", "content": "..."}, ...]}</c></item>
/// <item><c>{"prompt": "...", "completion": "..."}</c></item>
/// <item><c>{"question": "...", "answer": "..."}</c></item>
/// <item><c>{"instruction": "...", "input": "..." (optional), "output": "..."}</c>: a non-empty input follows the instruction after an empty line.</item>
/// <item><c>{"instruction": "...", "context": "..." (optional), "response": "..."}</c>, as in Dolly: likewise.</item>
/// </list>
/// All but the first become one user and one assistant turn.
/// </summary>
public static class ChatRows
{
    private const string DefaultTextField = "text";
    private const int NamesShown = 100;

    private const string Forms =
        "expected {\"messages\": [...]}, {\"prompt\", \"completion\"}, {\"question\", \"answer\"}, {\"instruction\", \"output\"} or {\"instruction\", \"response\"}";

    // Any of them makes a row a conversation.
    private static readonly string[] Fields = ["messages", "prompt", "completion", "question", "answer", "instruction"];

    private static readonly string[] Roles = ["system", "user", "assistant"];

    /// <summary>
    /// The rows of a file, read as they are asked for. A row without an assistant turn is returned too: whoever trains counts those.
    /// </summary>
    /// <exception cref="TinyLlmException">
    /// While reading: the file cannot be read, has no row, or a line is damaged; the message has the line's number, from 1.
    /// </exception>
    public static IEnumerable<Conversation> Read(string path)
    {
        bool any = false;
        foreach (JsonLine line in Lines(path))
        {
            any = true;
            yield return Parse(path, line);
        }

        if (!any)
            throw new TinyLlmException($"{path}: has no rows; {Forms}, one object a line.");
    }

    /// <summary>Whether a file of JSON lines holds conversations and not documents: what the first line that is an object has.</summary>
    /// <param name="path">The file.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null: <c>text</c> does, where there is no conversation.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, no line is an object, or the first has neither.</exception>
    internal static bool AreIn(string path, string? textField)
    {
        foreach (JsonLine line in Lines(path))
        {
            if (Names(line) is not { } names)
                continue;
            if (textField is not null && names.Contains(textField))
                return false;
            if (names.Exists(Fields.Contains))
                return true;
            if (textField is null && names.Contains(DefaultTextField))
                return false;
            throw new TinyLlmException($"{path}, line {line.Number}: the row is neither a document with a field \"{textField ?? DefaultTextField}\" nor a conversation; its fields are: "
                + $"{(names.Count == 0 ? "none" : string.Join(", ", names))}. Name the field with the text by --text-field, or give conversations: {Forms}.");
        }

        throw new TinyLlmException($"{path}: no line is a JSON object; expected documents with a field \"{textField ?? DefaultTextField}\", or conversations. Put one object on each line.");
    }

    /// <summary>The lines of a file that are not blank, decompressed and as UTF-8.</summary>
    /// <exception cref="TinyLlmException">While reading: the file cannot be read, or is no text.</exception>
    internal static IEnumerable<JsonLine> Lines(string path)
    {
        if (UnreadFormat.ByName(path) is { } what)
            throw UnreadFormat.Refusal(path, what);
        var file = SourceFile.At(path);
        var replacement = new NotedReplacement();
        using Stream stream = TextEncoding.Of(file, null).Open(file, replacement);
        foreach (JsonLine line in JsonLines.Read(path, stream, () => 0))
        {
            if (replacement.WasNeeded)
                throw new TinyLlmException($"{path}, near line {line.Number}: the text is not valid in the encoding that the file begins in; expected UTF-8. Convert the file.");
            if (!line.IsBlank)
                yield return line;
        }
    }

    // The fields of an object, null for what is none.
    private static List<string>? Names(JsonLine line)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(line.Bytes);
            return document.RootElement.ValueKind == JsonValueKind.Object ? [.. document.RootElement.EnumerateObject().Take(NamesShown).Select(field => field.Name)] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static Conversation Parse(string path, JsonLine line)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(line.Bytes);
            return new Row(path, line.Number).Parse(document.RootElement);
        }
        catch (JsonException exception)
        {
            throw new TinyLlmException($"{path}, line {line.Number}: no valid JSON at byte {exception.BytePositionInLine + 1}; "
                + $"{Forms}, each row on one line. Mend the line.", exception);
        }
        catch (InvalidOperationException exception)
        {
            // What the JSON reader throws for a string that is no Unicode text.
            throw new TinyLlmException($"{path}, line {line.Number}: a text is no valid UTF-8, or has half of a surrogate pair; "
                + "expected UTF-8. Convert the file.", exception);
        }
    }

    // One row, with its place for messages.
    private readonly struct Row(string path, long number)
    {
        public Conversation Parse(JsonElement row)
        {
            if (row.ValueKind == JsonValueKind.Array)
                throw Fault("the line is a JSON array; expected one JSON object. Put each row on a line of its own, without brackets around all");
            if (row.ValueKind != JsonValueKind.Object)
                throw Fault($"the line is {Kind(row)}; expected a JSON object");
            if (row.TryGetProperty("messages", out JsonElement messages))
                return new Conversation(Messages(messages));
            if (row.TryGetProperty("prompt", out _) || row.TryGetProperty("completion", out _))
                return Pair(Text(row, "prompt"), Text(row, "completion"));
            if (row.TryGetProperty("question", out _) || row.TryGetProperty("answer", out _))
                return Pair(Text(row, "question"), Text(row, "answer"));
            if (row.TryGetProperty("instruction", out _))
                return row.TryGetProperty("response", out _) ? Pair(Instruction(row, "context"), Text(row, "response")) : Pair(Instruction(row, "input"), Text(row, "output"));
            throw Fault($"no known form; {Forms}");
        }

        private static Conversation Pair(string user, string assistant) =>
            new([new ChatMessage("user", user), new ChatMessage("assistant", assistant)]);

        private string Instruction(JsonElement row, string inputField)
        {
            string instruction = Text(row, "instruction");
            bool hasInput = row.TryGetProperty(inputField, out JsonElement input) && input.ValueKind != JsonValueKind.Null;
            string text = hasInput ? Text(row, inputField) : "";
            return text.Length == 0 ? instruction : instruction + "\n\n" + text;
        }

        private ChatMessage[] Messages(JsonElement array)
        {
            if (array.ValueKind != JsonValueKind.Array)
                throw Fault($"\"messages\" is {Kind(array)}; expected an array of {{\"role\", \"content\"}}");
            if (array.GetArrayLength() == 0)
                throw Fault("\"messages\" is empty; expected at least one {\"role\", \"content\"}");

            var messages = new ChatMessage[array.GetArrayLength()];
            int index = 0;
            foreach (JsonElement message in array.EnumerateArray())
            {
                string where = $" of message {index + 1}";
                if (message.ValueKind != JsonValueKind.Object)
                    throw Fault($"message {index + 1} is {Kind(message)}; expected {{\"role\", \"content\"}}");
                string role = Text(message, "role", where);
                if (!Roles.Contains(role))
                    throw Fault($"\"role\"{where} is {JsonSerializer.Serialize(role)}; expected {string.Join(", ", Roles)}");
                messages[index++] = new ChatMessage(role, Text(message, "content", where));
            }

            return messages;
        }

        private string Text(JsonElement parent, string field, string where = "")
        {
            if (!parent.TryGetProperty(field, out JsonElement value))
                throw Fault($"\"{field}\"{where} is missing; expected a text");
            if (value.ValueKind != JsonValueKind.String)
                throw Fault($"\"{field}\"{where} is {Kind(value)}; expected a text");
            return value.GetString()!;
        }

        private TinyLlmException Fault(string fault) => new($"{path}, line {number}: {fault}. Mend the line or remove it.");

        private static string Kind(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => "a text",
            JsonValueKind.Number => "a number",
            JsonValueKind.True or JsonValueKind.False => "true or false",
            _ => "null",
        };
    }
}
