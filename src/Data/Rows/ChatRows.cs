using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>One row of finetuning data.</summary>
/// <param name="Messages">The turns in order, at least one.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages)
{
    /// <summary>Where the row stands; null where it comes from no file.</summary>
    public RowPlace? Place { get; init; }

    /// <summary>What comes before the first answer that is learned.</summary>
    public IReadOnlyList<ChatMessage> FirstPrompt => [.. Messages.TakeWhile(message => !IsAnswer(message))];

    /// <summary>The place of the last answer that is learned; -1 where there is none.</summary>
    public int LastAnswer => Messages.ToList().FindLastIndex(IsAnswer);

    private static bool IsAnswer(ChatMessage message) => message.Role == ChatTemplate.Assistant && message.IsLearned;
}

/// <summary>
/// Reads finetuning rows from JSON lines (one object a line, blank lines allowed), an array of JSON or a Parquet file,
/// compressed or not; JSON in UTF-8, or what a byte order mark says. A row has one of these forms:
/// <list type="bullet">
/// <item><c>{"messages": [{"role": "system" | "user" | "assistant", "content": "..."}, ...]}</c></item>
/// <item><c>{"prompt": "..." or messages, "completion": "..." or messages}</c>: of messages, only those of the
/// completion are learned.</item>
/// <item><c>{"question": "...", "answer": "..."}</c></item>
/// <item><c>{"instruction": "...", "input" or "context": "..." (optional), "output" or "response": "..."}</c>: a
/// non-empty input follows the instruction after an empty line.</item>
/// </list>
/// Each may have <c>system</c>, which becomes the first turn. <c>"weight": 0</c> and the like leave a turn or a row out
/// of what is learned, <c>"label": false</c> a row. A field that would change what is seen or learned otherwise is
/// refused; others are named in the report.
/// </summary>
public static class ChatRows
{
    private const string DefaultTextField = "text";

    internal const string Forms = "expected {\"messages\": [...]}, {\"prompt\", \"completion\"}, {\"question\", "
        + "\"answer\"}, {\"instruction\", \"output\"} or {\"instruction\", \"response\"}";

    // The first field of each form that tells it from others, and one that stands for it where the first is missing.
    private static readonly string[] Tells = [RowFields.Messages, RowFields.Prompt, RowFields.Completion,
        RowFields.Question, RowFields.Answer, RowFields.Instruction];

    /// <summary>
    /// The rows of a file, read as they are asked for, without those that are marked as not to be learned. A row
    /// without an assistant turn is returned too: whoever trains counts those.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="report">Counts what is left out and what is not read.</param>
    /// <exception cref="TinyLlmException">
    /// While reading: the file cannot be read, has no row, or a row is damaged; the message has the number of the line
    /// or row, from 1.
    /// </exception>
    public static IEnumerable<Conversation> Read(string path, RowReport? report = null)
    {
        report ??= new RowReport();
        bool any = false;
        foreach (var row in RowFile.Read(path))
        {
            any = true;
            if (RowParser.Parse(row, Forms, report, Parse) is { } conversation)
                yield return conversation;
        }

        if (!any)
            throw new TinyLlmException($"{path}: has no rows; {Forms}, one object a line.");
    }

    /// <summary>Whether a file of rows holds conversations and not documents: what the first row that is an object
    /// has.</summary>
    /// <param name="path">The file.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null: <c>text</c> does,
    /// where there is no conversation.</param>
    /// <exception cref="TinyLlmException">The file cannot be read; of JSON lines also: none is an object, or the first
    /// has neither.</exception>
    internal static bool AreIn(string path, string? textField)
    {
        bool mayBeText = RowFile.MayBeText(path);
        if (RowFile.FirstNames(path, out var place) is not { } names)
        {
            return mayBeText ? false : throw new TinyLlmException(
                $"{path}: no line is a JSON object; expected documents with a field "
                    + $"\"{textField ?? DefaultTextField}\", or conversations. Put one object on each line.");
        }

        if (textField is not null && names.Contains(textField))
            return false;
        if (RowFields.AreConversation(names, whole: mayBeText))
            return true;
        if (mayBeText || textField is null && names.Contains(DefaultTextField))
            return false;
        throw new TinyLlmException($"{place}: the row is neither a document with a field "
            + $"\"{textField ?? DefaultTextField}\" nor a conversation; its fields are: "
            + $"{(names.Count == 0 ? "none" : string.Join(", ", names))}. Name the field with the text by "
                + $"--text-field, or give conversations: {Forms}.");
    }

    private static Conversation? Parse(RowParser row)
    {
        string? form = Array.Find(Tells, row.IsGiven) ?? Array.Find(Tells, row.Has);
        if (form != RowFields.Messages && (row.IsGiven(RowFields.Chosen) || row.IsGiven(RowFields.Rejected)))
        {
            throw row.Fault("the row compares answers (\"chosen\", \"rejected\"), and conversations are learned here. "
                + "Learn from comparisons by finetune --method dpo");
        }

        bool learned = row.TakeIsLearned(isRated: form is RowFields.Prompt or RowFields.Completion);
        List<ChatMessage> messages = form switch
        {
            RowFields.Messages => row.TakeMessages(RowFields.Messages),
            RowFields.Prompt or RowFields.Completion => PromptAndCompletion(row),
            RowFields.Question or RowFields.Answer => Pair(QuestionAlone(row), row.TakeText(RowFields.Answer)),
            RowFields.Instruction => Pair(Instruction(row), Output(row)),
            _ => throw row.NoForm(Forms),
        };
        PreferenceRows.AddSystem(row, messages);
        if (!learned)
            row.Report.AddNotLearned();
        return learned ? new Conversation(messages) { Place = row.Place } : null;
    }

    private static List<ChatMessage> Pair(string user, string assistant) =>
        [new ChatMessage("user", user), new ChatMessage(ChatTemplate.Assistant, assistant)];

    private static List<ChatMessage> PromptAndCompletion(RowParser row)
    {
        var prompt = PreferenceRows.TakePrompt(row);
        if (row.Take(RowFields.Completion) is not { ValueKind: System.Text.Json.JsonValueKind.Array })
            return [.. prompt, new ChatMessage(ChatTemplate.Assistant, row.TakeText(RowFields.Completion))];
        return [.. prompt, .. row.TakeMessages(RowFields.Completion)];
    }

    // A question with a text that it is about: the answer without the text would be learned by heart.
    private static string QuestionAlone(RowParser row)
    {
        foreach (string field in (string[])[RowFields.Context, RowFields.Input])
        {
            if (row.TakeOptionalText(field).Length > 0)
            {
                throw row.Fault($"\"{field}\" is not read beside \"question\"; expected it within the question, or a "
                    + $"row of \"instruction\", \"{field}\" and \"output\"");
            }
        }

        return row.TakeText(RowFields.Question);
    }

    private static string Instruction(RowParser row)
    {
        string instruction = row.TakeText(RowFields.Instruction), input = row.TakeOptionalText(RowFields.Input),
            context = row.TakeOptionalText(RowFields.Context);
        if (input.Length > 0 && context.Length > 0)
            throw row.Fault("there are both \"input\" and \"context\"; expected one of them beside \"instruction\"");
        string more = input + context;
        return more.Length == 0 ? instruction : instruction + "\n\n" + more;
    }

    private static string Output(RowParser row)
    {
        if (row.IsGiven(RowFields.Output) && row.IsGiven(RowFields.Response))
            throw row.Fault("there are both \"output\" and \"response\"; expected one of them beside \"instruction\"");
        return row.TakeText(row.Has(RowFields.Response) && !row.IsGiven(RowFields.Output) ? RowFields.Response
            : RowFields.Output);
    }
}
