using TinyLlm.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// What a model sees of a conversation that has grown beyond its context: the system's message and the newest turns.
/// </summary>
/// <param name="Messages">The messages that it sees.</param>
/// <param name="Ids">Their tokens and the header of the answer, as <see cref="ChatTemplate.EncodePrompt"/> gives
/// them.</param>
/// <param name="LeftOut">How many of the oldest questions, each with its answer, it does not see.</param>
public sealed record ChatWindow(IReadOnlyList<ChatMessage> Messages, int[] Ids, int LeftOut)
{
    /// <summary>
    /// The newest turns that leave <paramref name="room"/> tokens of the context to the answer. The last question is
    /// always among them: where it alone leaves less, the answer has what is left.
    /// </summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="system">The system's message, null for none; it is never left out.</param>
    /// <param name="turns">Question, answer, question, ..., the last a question.</param>
    /// <param name="context">The model's longest sequence.</param>
    /// <param name="room">Tokens for the answer.</param>
    /// <exception cref="TinyLlmException">The last question with the system's message leaves no token to the answer, or
    /// the tokenizer cannot write a text.</exception>
    public static ChatWindow Fit(
        Tokenizer tokenizer, string? system, IReadOnlyList<ChatMessage> turns, int context, int room)
    {
        ChatMessage[] head = system is null ? [] : [new ChatMessage("system", system)];
        int[] before = Encode(tokenizer, head), header = ChatTemplate.EncodePrompt(tokenizer, []);
        var kept = new Stack<int[]>();
        kept.Push(Encode(tokenizer, [turns[^1]]));
        int count = before.Length + kept.Peek().Length + header.Length, first = turns.Count - 1;
        if (count >= context)
        {
            string what = system is null ? "the question takes"
                : "the system's message and the question take", shorter = system is null ? ""
                    : " or give a shorter system message";
            throw new TinyLlmException($"{what} {count:N0} of the {context:N0} tokens of the model's context; "
                + $"expected fewer, to leave some to the answer. Ask in fewer words{shorter}.");
        }

        // A question goes with its answer.
        for (; first >= 2; first -= 2)
        {
            int[] turn = Encode(tokenizer, [turns[first - 2], turns[first - 1]]);
            if (count + turn.Length > context - room)
                break;
            kept.Push(turn);
            count += turn.Length;
        }

        return new ChatWindow(
            [.. head, .. turns.Skip(first)], [.. before, .. kept.SelectMany(ids => ids), .. header], first / 2);
    }

    // A message's tokens do not depend on its neighbours.
    private static int[] Encode(Tokenizer tokenizer, ChatMessage[] messages)
    {
        var ids = new List<int>();
        ChatTemplate.Encode(tokenizer, messages, ids, []);
        return [.. ids];
    }
}
