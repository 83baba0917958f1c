using TinyLlm.Tokenizers;

namespace TinyLlm.Model;

/// <summary>A question and its answer.</summary>
/// <param name="Question">What the user said.</param>
/// <param name="Answer">What the assistant said.</param>
/// <param name="Prompt">What the model saw when it answered; its last message is the question.</param>
public sealed record DialogueTurn(string Question, string Answer, IReadOnlyList<ChatMessage> Prompt);

/// <summary>
/// A conversation that is being held: questions and answers in turn, and what the system says before them.
/// </summary>
public sealed class Dialogue
{
    private readonly List<DialogueTurn> turns = [];

    /// <summary>The system's message; null for none.</summary>
    public string? System { get; set; }

    /// <summary>The last question and its answer; null where nothing was asked.</summary>
    public DialogueTurn? Last => turns.Count > 0 ? turns[^1] : null;

    /// <summary>All of it, the system's message first.</summary>
    public IReadOnlyList<ChatMessage> Messages => System is null ? Chat(turns)
        : [new ChatMessage("system", System), .. Chat(turns)];

    /// <summary>
    /// What an answer to a new question follows: all turns and that question, without the system's message.
    /// </summary>
    public IReadOnlyList<ChatMessage> Ask(string question) => [.. Chat(turns), new ChatMessage("user", question)];

    /// <summary>What another answer to the last question follows.</summary>
    /// <exception cref="InvalidOperationException">Nothing was asked.</exception>
    public IReadOnlyList<ChatMessage> AskAgain() => turns.Count > 0 ? Chat(turns)[..^1]
        : throw new InvalidOperationException("Dialogue: nothing was asked.");

    /// <summary>Adds a question with its answer.</summary>
    public void Add(DialogueTurn turn) => turns.Add(turn);

    /// <summary>Takes the last question and its answer back; false where there is none.</summary>
    public bool Undo()
    {
        if (turns.Count == 0)
            return false;
        turns.RemoveAt(turns.Count - 1);
        return true;
    }

    /// <summary>Takes all questions and answers back; the system's message stays.</summary>
    public void Reset() => turns.Clear();

    private static ChatMessage[] Chat(IEnumerable<DialogueTurn> turns) =>
        [.. turns.SelectMany(
            turn => new[] { new ChatMessage("user", turn.Question),
                new ChatMessage(ChatTemplate.Assistant, turn.Answer) })];
}
