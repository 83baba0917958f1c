using System.Text.Json;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>
/// One row as its fields are taken out of it. What a form does not take is either refused, because it would change what
/// is learned, or named in the report as not read.
/// </summary>
internal sealed class RowParser
{
    private const int NamesShown = 20;

    private readonly RowText text;
    private readonly HashSet<string> taken = new(StringComparer.Ordinal);

    private RowParser(RowText text, JsonElement row, RowReport report)
    {
        (this.text, Row, Report) = (text, row, report);
        if (row.ValueKind == JsonValueKind.Array)
        {
            throw Fault("the row is a JSON array; expected one JSON object. Put each row on a line of its own, or all "
                + "in one array of objects");
        }

        if (row.ValueKind != JsonValueKind.Object)
            throw Fault($"the row is {Kind(row)}; expected a JSON object");
    }

    /// <summary>The row, an object.</summary>
    public JsonElement Row { get; }

    /// <summary>Where what is not read is counted.</summary>
    public RowReport Report { get; }

    /// <summary>Where the row stands.</summary>
    public RowPlace Place => text.Place;

    /// <summary>Parses a row. All its fields that <paramref name="parse"/> did not take are refused or
    /// counted.</summary>
    /// <param name="text">The row.</param>
    /// <param name="forms">What is expected, for messages.</param>
    /// <param name="report">Where what is not read is counted.</param>
    /// <param name="parse">Takes the fields.</param>
    /// <exception cref="TinyLlmException">The row is damaged or of another form; the message says where it
    /// is.</exception>
    public static T Parse<T>(RowText text, string forms, RowReport report, Func<RowParser, T> parse)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(text.Json);
            var parser = new RowParser(text, document.RootElement, report);
            T result = parse(parser);
            parser.AccountForRest();
            report.EndRow();
            return result;
        }
        catch (JsonException e)
        {
            string layout = JsonText.IsTooDeep(e) || text.FirstLine > 0 ? ""
                : ", each row on one line, or all in one array";
            throw new TinyLlmException(
                $"{text.Place}: {JsonText.Fault(e, text.FirstLine)}; {forms}{layout}. Mend the {text.Place.Unit}.", e);
        }
        catch (InvalidOperationException e)
        {
            // What the JSON reader throws for a string that is no Unicode text.
            throw new TinyLlmException($"{text.Place}: a text is no valid UTF-8, or has half of a surrogate pair; "
                + "expected UTF-8. Convert the file.", e);
        }
    }

    /// <summary>Whether the row has a field, whatever its value.</summary>
    public bool Has(string field) => Row.TryGetProperty(field, out _);

    /// <summary>Whether the row has a field that is not null.</summary>
    public bool IsGiven(string field) => Row.TryGetProperty(field, out var value)
        && value.ValueKind != JsonValueKind.Null;

    /// <summary>Takes a field; null where it is missing or null.</summary>
    public JsonElement? Take(string field)
    {
        taken.Add(field);
        return Row.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>Takes a field that must be a text.</summary>
    public string TakeText(string field)
    {
        taken.Add(field);
        return Text(Row, field);
    }

    /// <summary>Takes a field that may be a text; empty where it is missing or null.</summary>
    public string TakeOptionalText(string field) => Take(field) is null ? "" : TakeText(field);

    /// <summary>A text of an object.</summary>
    /// <param name="parent">The object.</param>
    /// <param name="field">Its field.</param>
    /// <param name="where">Names the object, where it is not the row.</param>
    public string Text(JsonElement parent, string field, string where = "")
    {
        if (!parent.TryGetProperty(field, out JsonElement value))
            throw Fault($"\"{field}\"{where} is missing; expected a text");
        if (value.ValueKind != JsonValueKind.String)
            throw Fault($"\"{field}\"{where} is {Kind(value)}; expected a text");
        return value.GetString()!;
    }

    /// <summary>Takes what the row is told before the first turn; empty where there is nothing.</summary>
    public string TakeSystem()
    {
        string found = "", from = "";
        foreach (string field in RowFields.System)
        {
            string text = TakeOptionalText(field);
            if (text.Length > 0 && found.Length > 0)
                throw Fault($"there are both \"{from}\" and \"{field}\"; expected one of them");
            if (text.Length > 0)
                (found, from) = (text, field);
        }

        return found;
    }

    /// <summary>Takes the marks that say whether a row is learned at all.</summary>
    /// <param name="isRated">Whether the row may have one rated answer, whose label must be true or false.</param>
    public bool TakeIsLearned(bool isRated)
    {
        bool learned = true;
        if (Take(RowFields.Weight) is { } weight)
            learned &= Number(weight, RowFields.Weight, "") == 1;
        foreach (string field in RowFields.Learned)
        {
            // A number is a measure there, such as the loss that a model had.
            if (Row.TryGetProperty(field, out var value) && IsBoolean(value))
                learned &= Take(field)!.Value.GetBoolean();
        }

        if (!Row.TryGetProperty(RowFields.Label, out var label) || !isRated && !IsBoolean(label)
            || Take(RowFields.Label) is not { } good)
        {
            return learned;
        }

        return IsBoolean(good) ? learned & good.GetBoolean() : throw Fault(
            $"\"label\" is {Kind(good)}; expected true for an answer to learn, or false for one to leave out");
    }

    /// <summary>0 or 1, as a number.</summary>
    public int Number(JsonElement value, string field, string where) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number is 0 or 1
            ? (int)number
            : throw Fault($"\"{field}\"{where} is {Show(value)}; expected 0 (not learned) or 1 (learned)");

    /// <summary>True or false, or 1 or 0.</summary>
    public bool Switch(JsonElement value, string field, string where) =>
        IsBoolean(value) ? value.GetBoolean()
            : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double n) && n is 0 or 1 ? n == 1
            : throw Fault($"\"{field}\"{where} is {Show(value)}; expected true or false");

    /// <summary>The error for a row of no form that is known.</summary>
    public TinyLlmException NoForm(string forms)
    {
        var names = Row.EnumerateObject().Where(field => field.Value.ValueKind != JsonValueKind.Null)
            .Select(field => field.Name).Concat(text.Others);
        string shown = string.Join(", ", names.Take(NamesShown).Select(ParquetFile.Quote));
        return Fault($"no known form; {forms}; its fields are: {(shown.Length > 0 ? shown : "none")}");
    }

    /// <summary>The error for something that is wrong with the row.</summary>
    public TinyLlmException Fault(string fault) => new($"{Place}: {fault}. Mend the {Place.Unit} or remove it.");

    /// <summary>Whether there is nothing in a value: null, false, an empty text, list or object, a list or an object of
    /// such, or one that is written as a text.</summary>
    public static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.String => value.ValueEquals("") || value.ValueEquals("[]") || value.ValueEquals("{}"),
        JsonValueKind.Array => value.EnumerateArray().All(IsEmpty),
        JsonValueKind.Object => value.EnumerateObject().All(field => IsEmpty(field.Value)),
        _ => false,
    };

    /// <summary>What a value is, in words.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };

    private static bool IsBoolean(JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False;

    private static string Show(JsonElement value) =>
        IsBoolean(value) || value.ValueKind == JsonValueKind.Number ? value.GetRawText() : Kind(value);

    private void AccountForRest()
    {
        foreach (var field in Row.EnumerateObject())
        {
            if (taken.Contains(field.Name))
                continue;
            bool isRefused = RowFields.RefusedOfRow.Contains(field.Name);
            if (isRefused && !IsEmpty(field.Value))
            {
                throw Fault($"\"{field.Name}\" changes what is seen or learned, and is not read; expected rows whose "
                    + "texts say all");
            }

            if (!isRefused && field.Value.ValueKind != JsonValueKind.Null)
                Report.AddNotRead(field.Name);
        }

        foreach (string column in text.Others)
            Report.AddNotRead(column);
    }
}
