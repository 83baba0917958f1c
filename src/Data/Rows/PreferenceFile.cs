using System.Text;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>
/// Writes down what a user thinks of answers, as TRL has it, one JSON object a line:
/// <list type="bullet">
/// <item><c>{"prompt": [messages], "completion": [an assistant's message], "label": true | false}</c> for an answer
/// that was rated;</item>
/// <item><c>{"prompt": [messages], "chosen": [an assistant's message], "rejected": [an assistant's message]}</c> for
/// two answers to one prompt, one of which is the better. Two answers that were rated make such a row too, where one is
/// good and the other bad.</item>
/// </list>
/// </summary>
/// <param name="path">The file; rows are appended, and it is made by the first.</param>
public sealed class PreferenceFile(string path)
{
    // By prompt as JSON: the answers that were rated so far.
    private readonly Dictionary<string, List<(string Answer, bool Good)>> rated = [];

    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>Writes down that an answer is good or bad.</summary>
    /// <returns>How many pairs with other answers to the same prompt were written too.</returns>
    /// <exception cref="TinyLlmException">The same answer to the same prompt was rated before, or the file cannot be
    /// written.</exception>
    public int Rate(IReadOnlyList<ChatMessage> prompt, string answer, bool good)
    {
        string key =
            Encoding.UTF8.GetString(JsonLinesFile.Format(json => JsonLinesFile.WriteMessages(json, "prompt", prompt)));
        if (!rated.TryGetValue(key, out var others))
            rated[key] = others = [];
        if (others.FindIndex(other => other.Answer == answer) is >= 0 and int before)
        {
            throw new TinyLlmException($"This answer was rated {(others[before].Good ? "good" : "bad")} before; "
                + $"expected one rating of an answer. Mend {path} by hand to change it.");
        }

        JsonLinesFile.Append(path, json =>
        {
            JsonLinesFile.WriteMessages(json, "prompt", prompt);
            JsonLinesFile.WriteMessages(json, "completion", Answer(answer));
            json.WriteBoolean("label", good);
        });
        others.Add((answer, good));
        int pairs = 0;
        foreach (var (other, otherGood) in others)
        {
            if (otherGood == good)
                continue;
            Prefer(prompt, good ? answer : other, good ? other : answer);
            pairs++;
        }

        return pairs;
    }

    /// <summary>Writes down that one answer is better than another.</summary>
    /// <exception cref="TinyLlmException">The file cannot be written.</exception>
    public void Prefer(IReadOnlyList<ChatMessage> prompt, string chosen, string rejected) =>
        JsonLinesFile.Append(path, json =>
    {
        JsonLinesFile.WriteMessages(json, "prompt", prompt);
        JsonLinesFile.WriteMessages(json, "chosen", Answer(chosen));
        JsonLinesFile.WriteMessages(json, "rejected", Answer(rejected));
    });

    private static ChatMessage[] Answer(string text) => [new ChatMessage(ChatTemplate.Assistant, text)];
}
