using System.Text.Json;

namespace TinyLlm.Data;

/// <summary>A question of which one of several answers is right.</summary>
/// <param name="Context">The question, or the text that a choice goes on from.</param>
/// <param name="Choices">Two or more, none of them blank.</param>
/// <param name="Answer">Number of the right one, from 0.</param>
public sealed record ChoiceRow(string Context, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>Where the row stands; null where it comes from no file.</summary>
    public RowPlace? Place { get; init; }
}

/// <summary>
/// Reads multiple-choice rows, from the files that <see cref="ChatRows"/> reads:
/// <c>{"question" or "context": "...", "choices": ["...", "..."], "answer": number from 0 or the text of a choice}</c>.
/// </summary>
public static class ChoiceRows
{
    private const string Form = "expected {\"question\" or \"context\": text, \"choices\": [texts], \"answer\": "
        + "number from 0 or text}";

    /// <summary>Whether a source is a file with such rows: whether the first row that is an object has <c>choices</c>,
    /// and in what may be a text all of the form.</summary>
    /// <param name="source">A --data word.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null for none.</param>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public static bool AreIn(string source, string? textField)
    {
        if (!RowFile.MayBe(source) || RowFile.FirstNames(source, out _) is not { } names
            || !names.Contains(RowFields.Choices) || textField is not null && names.Contains(textField))
            return false;
        return !RowFile.MayBeText(source) || names.Contains(RowFields.Answer) && (names.Contains(RowFields.Question)
            || names.Contains(RowFields.Context));
    }

    /// <summary>All rows of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">Counts what is not read.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, has no row, or a row is damaged or of another form;
    /// the message has its number, from 1.</exception>
    public static IReadOnlyList<ChoiceRow> Read(string path, RowReport? report = null)
    {
        report ??= new RowReport();
        List<ChoiceRow> rows = [.. RowFile.Read(path).Select(row => RowParser.Parse(row, Form, report, Parse))];
        return rows.Count > 0 ? rows : throw new TinyLlmException($"{path}: has no rows; {Form}, one object a line.");
    }

    /// <summary>Refuses a file of conversations that has multiple-choice rows among them.</summary>
    /// <exception cref="TinyLlmException">A row has choices and no messages; the message has its number, from
    /// 1.</exception>
    public static void RefuseIn(string path)
    {
        foreach (var row in RowFile.Read(path))
        {
            if (RowFile.Names(row) is { } names && names.Contains(RowFields.Choices)
                && !names.Contains(RowFields.Messages))
            {
                throw new TinyLlmException($"{row.Place}: the row has \"choices\", and the first row is a "
                    + $"conversation; expected rows of one kind. Mend the {row.Place.Unit} or remove it.");
            }
        }
    }

    private static ChoiceRow Parse(RowParser row)
    {
        if (row.Take(RowFields.Choices) is not { ValueKind: JsonValueKind.Array } list)
            throw row.Fault($"there is no array \"choices\", which the first row has; {Form}");
        string field = row.Has(RowFields.Question) ? RowFields.Question : RowFields.Context;
        if (row.Take(field) is not { ValueKind: JsonValueKind.String } context)
            throw row.Fault($"there is no text \"question\" or \"context\"; {Form}");
        if (field == RowFields.Question && row.TakeOptionalText(RowFields.Context).Length > 0)
        {
            throw row.Fault("there are both \"question\" and \"context\"; expected one of them, with all that the "
                + "model sees");
        }

        if (row.TakeSystem().Length > 0)
            throw row.Fault("a system text is not read beside choices; expected it within the question");
        string[] choices = [.. list.EnumerateArray().Select((choice, i) => choice.ValueKind == JsonValueKind.String
            && !string.IsNullOrWhiteSpace(choice.GetString())
            ? choice.GetString()! : throw row.Fault($"choice {i} (from 0) is empty or no text; expected a text"))];
        if (choices.Length < 2)
            throw row.Fault($"\"choices\" has {choices.Length} texts; expected two or more");
        return new ChoiceRow(context.GetString()!, choices, Answer(row, choices)) { Place = row.Place };
    }

    private static int Answer(RowParser row, string[] choices)
    {
        if (row.Take(RowFields.Answer) is not { } answer)
            throw row.Fault($"\"answer\" is {(row.Has(RowFields.Answer) ? "null" : "missing")}; {Form}");
        if (answer.ValueKind == JsonValueKind.Number)
        {
            return answer.TryGetInt32(out int number) && number >= 0 && number < choices.Length ? number
                : throw row.Fault($"\"answer\" is {answer.GetRawText()}; expected 0 to {choices.Length - 1}, or the "
                    + "text of a choice");
        }

        if (answer.ValueKind != JsonValueKind.String)
        {
            throw row.Fault("\"answer\" is neither a number nor a text; expected the number of a choice, from 0, or "
                + "its text");
        }

        return Array.IndexOf(choices, answer.GetString()) is >= 0 and int found ? found
            : throw row.Fault($"\"answer\" is {JsonSerializer.Serialize(answer.GetString())}, which is none of the "
                + "choices; expected the text of one, or its number from 0");
    }
}
