using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Training.Data;

/// <summary>Two answers to one prompt, of which one is the better.</summary>
/// <param name="Prompt">The turns before the answer, at least one.</param>
/// <param name="Chosen">The better answer.</param>
/// <param name="Rejected">The other.</param>
public sealed record PreferencePair(IReadOnlyList<ChatMessage> Prompt, string Chosen, string Rejected);

/// <summary>
/// Reads comparisons from JSON Lines, compressed or not, in TRL's forms: <c>{"prompt", "chosen", "rejected"}</c>, each a text, or messages with one assistant's turn as the answer; without a prompt
/// the answers are whole conversations that differ in their last turn. Other fields are ignored.
/// </summary>
public static class PreferenceRows
{
    private const string Forms = "expected {\"prompt\", \"chosen\", \"rejected\"}, each a text or messages";

    /// <summary>The comparisons of a file; rows that rate one answer (<c>label</c>), as chat writes them too, are left out and counted.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, has no comparison, or a line is damaged; the message has the line's number.</exception>
    public static (IReadOnlyList<PreferencePair> Pairs, int Unpaired) Read(string path)
    {
        var pairs = new List<PreferencePair>();
        int unpaired = 0;
        foreach (var line in ChatRows.Lines(path))
        {
            if (Parse(path, line) is { } pair)
                pairs.Add(pair);
            else
                unpaired++;
        }

        return pairs.Count > 0 ? (pairs, unpaired) : throw new TinyLlmException($"{path}: has no comparisons ({unpaired:N0} rows rate one answer); {Forms}, one object a line.");
    }

    private static PreferencePair? Parse(string path, JsonLine line)
    {
        try
        {
            using var document = JsonText.Parse(line.Bytes);
            var row = document.RootElement;
            if (row.ValueKind == JsonValueKind.Object && row.TryGetProperty("label", out _) && row.TryGetProperty("completion", out _))
                return null;
            if (row.ValueKind != JsonValueKind.Object || !row.TryGetProperty("chosen", out var chosen) || !row.TryGetProperty("rejected", out var rejected))
                throw Fault(Forms);
            var pair = row.TryGetProperty("prompt", out var prompt)
                ? new PreferencePair(prompt.ValueKind == JsonValueKind.String ? [new ChatMessage("user", prompt.GetString()!)] : Messages(prompt), Answer(chosen), Answer(rejected))
                : Split(Messages(chosen), Messages(rejected));
            if (pair.Prompt.Count == 0)
                throw Fault("the prompt is empty; expected a text or at least one message");
            return pair.Chosen != pair.Rejected ? pair : throw Fault("chosen and rejected are equal; expected two different answers");
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path}, line {line.Number}: no valid JSON at byte {e.BytePositionInLine + 1}; {Forms}, each row on one line. Mend the line.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new TinyLlmException($"{path}, line {line.Number}: {Forms}; a value is of another kind. Mend the line.", e);
        }

        TinyLlmException Fault(string what) => new($"{path}, line {line.Number}: {what}. Mend the line or remove it.");

        string Answer(JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.String)
                return value.GetString()!;
            return Messages(value) is [{ Role: ChatTemplate.Assistant } only] ? only.Content : throw Fault("an answer is not one assistant's message");
        }

        // Whole conversations: all but the last turn is the prompt.
        PreferencePair Split(List<ChatMessage> a, List<ChatMessage> b)
        {
            bool same = a.Count == b.Count && a.Count > 1 && a.SkipLast(1).SequenceEqual(b.SkipLast(1)) && a[^1].Role == ChatTemplate.Assistant && b[^1].Role == ChatTemplate.Assistant;
            return same ? new PreferencePair([.. a.SkipLast(1)], a[^1].Content, b[^1].Content) : throw Fault("there is no prompt, and chosen and rejected differ in more than their last turn, the assistant's");
        }

        List<ChatMessage> Messages(JsonElement value) => [.. value.EnumerateArray().Select(message =>
        {
            string role = message.TryGetProperty("role", out var r) ? r.GetString()! : "", content = message.TryGetProperty("content", out var c) ? c.GetString()! : "";
            return ChatTemplate.Roles.Contains(role) ? new ChatMessage(role, content) : throw Fault($"\"role\" is {JsonSerializer.Serialize(role)}; expected {string.Join(", ", ChatTemplate.Roles)}");
        })];
    }
}
