using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Training.Data;

/// <summary>
/// Conversations as examples for supervised finetuning: each begins a row, is written in the chat template, and is scored on the assistant's
/// tokens only. A row is as long as the longest conversation, at most the model's context.
/// </summary>
public sealed class ChatExamples : IExamples
{
    private const int LengthMultiple = 16;

    private readonly List<(int[] Ids, bool[] Trained)> rows = [];

    /// <summary>Encodes conversations.</summary>
    /// <param name="conversations">What to learn from.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="context">The model's longest sequence.</param>
    /// <param name="length">T, or 0 for the shortest that holds the longest conversation.</param>
    /// <exception cref="TinyLlmException">No conversation has an assistant's token.</exception>
    public ChatExamples(IEnumerable<Conversation> conversations, Tokenizer tokenizer, int context, int length = 0)
    {
        int longest = 0;
        List<int> ids = [];
        List<bool> trained = [];
        foreach (var conversation in conversations)
        {
            ids.Clear();
            trained.Clear();
            ChatTemplate.Encode(tokenizer, conversation.Messages, ids, trained);

            // An example of T tokens has T targets: its T + 1 ids.
            int kept = Math.Min(ids.Count, context + 1);
            bool[] mask = [.. trained.Take(kept)];
            if (!mask.AsSpan(1).Contains(true))
            {
                Skipped++;
                continue;
            }

            if (kept < ids.Count)
                Cut++;
            rows.Add(([.. ids.Take(kept)], mask));
            longest = Math.Max(longest, kept - 1);
        }

        if (rows.Count == 0)
            throw new TinyLlmException($"The finetuning data has no row with an assistant's answer within the model's context of {context} tokens ({Skipped} rows without one).");
        Length = length > 0 ? length : Math.Min(context, (longest + LengthMultiple - 1) / LengthMultiple * LengthMultiple);
    }

    /// <summary>Rows without a scored token, which are left out.</summary>
    public int Skipped { get; }

    /// <summary>Rows longer than the context, whose end is left out.</summary>
    public int Cut { get; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count => rows.Count;

    /// <summary>Scored tokens of all rows.</summary>
    public long Scored => rows.Sum(r => (long)r.Trained.Skip(1).Count(t => t));

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        var (ids, trained) = rows[(int)index];
        tokens.Clear();
        targets.Fill(-1);
        for (int i = 0; i < Math.Min(ids.Length - 1, Length); i++)
        {
            tokens[i] = ids[i];
            if (trained[i + 1])
                targets[i] = ids[i + 1];
        }
    }
}
