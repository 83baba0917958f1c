using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Training.Data;

/// <summary>A question of which one of several answers is right.</summary>
/// <param name="Context">The question, or the text that a choice goes on from.</param>
/// <param name="Choices">Two or more, none of them blank.</param>
/// <param name="Answer">Number of the right one, from 0.</param>
public sealed record ChoiceRow(string Context, IReadOnlyList<string> Choices, int Answer);

/// <summary>
/// Reads multiple-choice rows from JSON Lines, one object a line, as <see cref="ChatRows"/> reads its own:
/// <c>{"question" or "context": "...", "choices": ["...", "..."], "answer": number from 0 or the text of a choice}</c>. Other fields are ignored.
/// </summary>
public static class ChoiceRows
{
    private const string Choices = "choices";
    private const string Form = "expected {\"question\" or \"context\": text, \"choices\": [texts], \"answer\": number from 0 or text}";

    /// <summary>Whether a source is a file of JSON lines with such rows: whether the first line that is an object has <c>choices</c>.</summary>
    /// <param name="source">A --data word.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null for none.</param>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public static bool AreIn(string source, string? textField)
    {
        if (!File.Exists(source) || SourceFormat.Of(source).Content != Content.JsonLines)
            return false;
        foreach (JsonLine line in ChatRows.Lines(source))
        {
            if (Kind(line, out bool choices, out bool text, textField))
                return choices && !text;
        }

        return false;
    }

    /// <summary>All rows of a file.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, has no row, or a line is damaged or of another form; the message has the line's number, from 1.</exception>
    public static IReadOnlyList<ChoiceRow> Read(string path)
    {
        var rows = new List<ChoiceRow>();
        foreach (JsonLine line in ChatRows.Lines(path))
            rows.Add(Parse(path, line));
        return rows.Count > 0 ? rows : throw new TinyLlmException($"{path}: has no rows; {Form}, one object a line.");
    }

    /// <summary>Refuses a file of conversations that has multiple-choice rows among them.</summary>
    /// <exception cref="TinyLlmException">A row has choices and no messages; the message has the line's number, from 1.</exception>
    public static void RefuseIn(string path)
    {
        foreach (JsonLine line in ChatRows.Lines(path))
        {
            if (Kind(line, out bool choices, out bool messages, "messages") && choices && !messages)
                throw Fault(path, line, "the row has \"choices\", and the first row is a conversation; expected rows of one kind");
        }
    }

    // Whether a line is an object, and whether it has choices and another field.
    private static bool Kind(JsonLine line, out bool choices, out bool other, string? otherField)
    {
        (choices, other) = (false, false);
        try
        {
            using JsonDocument document = JsonText.Parse(line.Bytes);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return false;
            choices = document.RootElement.TryGetProperty(Choices, out _);
            other = otherField is not null && document.RootElement.TryGetProperty(otherField, out _);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static ChoiceRow Parse(string path, JsonLine line)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(line.Bytes);
            JsonElement row = document.RootElement;
            if (row.ValueKind != JsonValueKind.Object)
                throw Fault(path, line, $"the line is no JSON object; {Form}");
            if (!row.TryGetProperty(Choices, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
                throw Fault(path, line, $"there is no array \"choices\", which the first row has; {Form}");
            if (!(row.TryGetProperty("question", out JsonElement context) || row.TryGetProperty("context", out context)) || context.ValueKind != JsonValueKind.String)
                throw Fault(path, line, $"there is no text \"question\" or \"context\"; {Form}");
            string[] choices = [.. list.EnumerateArray().Select((choice, i) => choice.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(choice.GetString())
                ? choice.GetString()! : throw Fault(path, line, $"choice {i} (from 0) is empty or no text; expected a text"))];
            if (choices.Length < 2)
                throw Fault(path, line, $"\"choices\" has {choices.Length} texts; expected two or more");
            return new ChoiceRow(context.GetString()!, choices, Answer(path, line, row, choices));
        }
        catch (JsonException exception)
        {
            throw new TinyLlmException($"{path}, line {line.Number}: no valid JSON at byte {exception.BytePositionInLine + 1}; {Form}, each row on one line. Mend the line.", exception);
        }
        catch (InvalidOperationException exception)
        {
            // What the JSON reader throws for a string that is no Unicode text.
            throw new TinyLlmException($"{path}, line {line.Number}: a text is no valid UTF-8, or has half of a surrogate pair; expected UTF-8. Convert the file.", exception);
        }
    }

    private static int Answer(string path, JsonLine line, JsonElement row, string[] choices)
    {
        if (!row.TryGetProperty("answer", out JsonElement answer))
            throw Fault(path, line, $"\"answer\" is missing; {Form}");
        if (answer.ValueKind == JsonValueKind.Number)
        {
            return answer.TryGetInt32(out int number) && number >= 0 && number < choices.Length ? number
                : throw Fault(path, line, $"\"answer\" is {answer.GetRawText()}; expected 0 to {choices.Length - 1}, or the text of a choice");
        }

        if (answer.ValueKind != JsonValueKind.String)
            throw Fault(path, line, "\"answer\" is neither a number nor a text; expected the number of a choice, from 0, or its text");
        return Array.IndexOf(choices, answer.GetString()) is >= 0 and int found ? found
            : throw Fault(path, line, $"\"answer\" is {JsonSerializer.Serialize(answer.GetString())}, which is none of the choices; expected the text of one, or its number from 0");
    }

    private static TinyLlmException Fault(string path, JsonLine line, string fault) => new($"{path}, line {line.Number}: {fault}. Mend the line or remove it.");
}
