using System.Text.Json;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>Two answers to one prompt, of which one is the better.</summary>
/// <param name="Prompt">The turns before the answer, at least one.</param>
/// <param name="Chosen">The better answer.</param>
/// <param name="Rejected">The other.</param>
public sealed record PreferencePair(IReadOnlyList<ChatMessage> Prompt, string Chosen, string Rejected)
{
    /// <summary>Where the row stands; null where it comes from no file.</summary>
    public RowPlace? Place { get; init; }
}

/// <summary>
/// Reads comparisons, from the files that <see cref="ChatRows"/> reads, in TRL's forms: <c>{"prompt", "chosen",
/// "rejected"}</c>, each a text, or messages with one assistant's turn as the answer; or the answers are whole
/// conversations that differ in their last turn, with or without their prompt beside them. <c>system</c> becomes the
/// first turn.
/// </summary>
public static class PreferenceRows
{
    private const string Forms = "expected {\"prompt\", \"chosen\", \"rejected\"}, each a text or messages";

    /// <summary>
    /// The comparisons of a file; rows that rate one answer (<c>label</c>), as chat writes them too, are left out and
    /// counted.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="report">Counts rows that are marked as not to be learned, and what is not read.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, has no comparison, or a row is damaged; the message
    /// has its number.</exception>
    public static (IReadOnlyList<PreferencePair> Pairs, int Unpaired) Read(string path, RowReport? report = null)
    {
        report ??= new RowReport();
        var pairs = new List<PreferencePair>();
        int unpaired = 0;
        foreach (var row in RowFile.Read(path))
        {
            var (pair, rated) = RowParser.Parse(row, Forms, report, Parse);
            if (pair is not null)
                pairs.Add(pair);
            unpaired += rated ? 1 : 0;
        }

        return pairs.Count > 0 ? (pairs, unpaired)
            : throw new TinyLlmException(
                $"{path}: has no comparisons ({unpaired:N0} rows rate one answer); {Forms}, one object a line.");
    }

    /// <summary>Takes a prompt: a text of the user, or messages, which are seen and not learned.</summary>
    /// <exception cref="TinyLlmException">It is neither, or ends with the assistant's turn, which the answer would go
    /// on with.</exception>
    internal static List<ChatMessage> TakePrompt(RowParser row)
    {
        if (row.Take(RowFields.Prompt) is not { ValueKind: JsonValueKind.Array or JsonValueKind.Object })
            return [new ChatMessage("user", row.TakeText(RowFields.Prompt))];
        var prompt = row.TakeMessages(RowFields.Prompt);
        if (prompt[^1].Role == ChatTemplate.Assistant)
        {
            throw row.Fault("the prompt ends with an assistant's message, which the answer would go on with; expected "
                + "a prompt that the assistant answers with a message of its own");
        }

        return [.. prompt.Select(message => message with { IsLearned = message.Role != ChatTemplate.Assistant })];
    }

    /// <summary>Puts what the row has as <c>system</c> before its turns.</summary>
    /// <exception cref="TinyLlmException">They begin with another one.</exception>
    internal static void AddSystem(RowParser row, List<ChatMessage> messages)
    {
        string system = row.TakeSystem();
        if (system.Length == 0)
            return;
        if (messages[0].Role != "system")
            messages.Insert(0, new ChatMessage("system", system));
        else if (messages[0].Content != system)
            throw row.Fault("there is a system text beside messages that begin with another one; expected one of them");
    }

    private static (PreferencePair? Pair, bool Rated) Parse(RowParser row)
    {
        if (row.IsGiven(RowFields.Label) && row.IsGiven(RowFields.Completion) && !row.IsGiven(RowFields.Chosen))
            return Rated(row);
        if (!row.IsGiven(RowFields.Chosen) || !row.IsGiven(RowFields.Rejected))
        {
            throw row.Has(RowFields.Chosen) || row.Has(RowFields.Rejected)
                ? row.Fault($"\"{(row.IsGiven(RowFields.Chosen) ? RowFields.Rejected : RowFields.Chosen)}\" is missing "
                    + $"or null; {Forms}")
                : row.NoForm(Forms);
        }

        bool learned = row.TakeIsLearned(isRated: false);
        List<ChatMessage> chosen = Answer(row, RowFields.Chosen), rejected = Answer(row, RowFields.Rejected);
        var prompt = row.Has(RowFields.Prompt) ? TakePrompt(row) : null;
        if (prompt is null || chosen.Count > 1 || rejected.Count > 1)
            prompt = CommonPrompt(row, chosen, rejected, prompt);
        if (chosen[^1].Content == rejected[^1].Content)
            throw row.Fault("chosen and rejected are equal; expected two different answers");
        AddSystem(row, prompt);
        if (!learned)
            row.Report.AddNotLearned();
        return (learned ? new PreferencePair(prompt, chosen[^1].Content, rejected[^1].Content) { Place = row.Place }
            : null, false);
    }

    // One answer with its rating: nothing of it is learned here.
    private static (PreferencePair? Pair, bool Rated) Rated(RowParser row)
    {
        foreach (var field in row.Row.EnumerateObject())
            row.Take(field.Name);
        return (null, true);
    }

    private static List<ChatMessage> Answer(RowParser row, string field)
    {
        List<ChatMessage> messages = row.Take(field)!.Value.ValueKind is JsonValueKind.Array or JsonValueKind.Object
            ? row.TakeMessages(field) : [new ChatMessage(ChatTemplate.Assistant, row.TakeText(field))];
        if (messages[^1].Role != ChatTemplate.Assistant)
        {
            throw row.Fault($"\"{field}\" is not one assistant's message, and does not end with one; expected an "
                + "answer");
        }

        return messages[^1].IsLearned ? messages
            : throw row.Fault($"the answer in \"{field}\" is marked as not to be learned; expected answers that are. "
            + "Leave the row out, or its mark");
    }

    // Whole conversations: all but the last turn is the prompt.
    private static List<ChatMessage> CommonPrompt(RowParser row, List<ChatMessage> chosen, List<ChatMessage> rejected,
        List<ChatMessage>? prompt)
    {
        if (chosen.Count != rejected.Count || chosen.Count < 2 || !AreEqual(chosen.SkipLast(1), rejected.SkipLast(1)))
        {
            throw row.Fault(prompt is null
                ? "there is no prompt, and chosen and rejected differ in more than their last turn, the assistant's"
                : "beside a prompt, chosen and rejected are neither one assistant's message each nor conversations "
                    + "that differ in their last turn");
        }

        List<ChatMessage> common = [.. chosen.SkipLast(1)];
        if (prompt is not null && !AreEqual(prompt, common)
            && !AreEqual(prompt, common.Where(message => message.Role != "system")))
            throw row.Fault("the prompt is not what chosen and rejected begin with; expected the same turns");
        return [.. common.Select(message => message with { IsLearned = message.Role != ChatTemplate.Assistant })];
    }

    private static bool AreEqual(IEnumerable<ChatMessage> a, IEnumerable<ChatMessage> b) =>
        a.Select(message => (message.Role, message.Content)).SequenceEqual(b.Select(message =>
            (message.Role, message.Content)));
}
