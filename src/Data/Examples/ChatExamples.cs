using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>
/// Conversations as examples for supervised finetuning: each is written in the chat template and scored on the
/// assistant's tokens only. By themselves they have a row each, as long as the longest of them; packed they share rows
/// as long as the model's context, and none sees another.
/// </summary>
public sealed class ChatExamples : IExamples
{
    private readonly List<(int[] Ids, bool[] Trained)> conversations = [];
    private readonly IReadOnlyList<int[]> rows; // the conversations of each, in order

    /// <summary>Encodes conversations.</summary>
    /// <param name="conversations">What to learn from.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="context">The model's longest sequence.</param>
    /// <param name="length">T, or 0: the context where they are packed, else the shortest that holds the longest
    /// conversation.</param>
    /// <param name="packed">Whether conversations share rows.</param>
    /// <exception cref="TinyLlmException">No conversation has an assistant's token, or the tokenizer cannot write one,
    /// which is named.</exception>
    public ChatExamples(
        IEnumerable<Conversation> conversations, Tokenizer tokenizer, int context, int length = 0, bool packed = false)
    {
        int longest = 0;
        List<int> ids = [];
        List<bool> trained = [];
        foreach (var conversation in conversations)
        {
            ids.Clear();
            trained.Clear();
            RowPlace.At(conversation.Place, () =>
            {
                ChatTemplate.Encode(tokenizer, conversation.Messages, ids, trained);
                return ids;
            });

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
            this.conversations.Add(([.. ids.Take(kept)], mask));
            longest = Math.Max(longest, kept - 1);
        }

        if (this.conversations.Count == 0)
        {
            throw new TinyLlmException("The finetuning data has no row with an assistant's answer within the model's "
                + $"context of {context} tokens ({Skipped} rows without one).");
        }

        int shortest = RowLength.For(longest, context);
        (Length, IsPacked) = (length > 0 ? length : packed ? context : shortest, packed);
        var lengths = this.conversations.Select(c => Math.Min(c.Ids.Length - 1, Length)).ToArray();
        rows = packed ? Packing.BestFit(lengths, Length)
            : [.. Enumerable.Range(0, lengths.Length).Select(i => new[] { i })];
    }

    /// <summary>Rows without a scored token, which are left out.</summary>
    public int Skipped { get; }

    /// <summary>Rows longer than the context, whose end is left out.</summary>
    public int Cut { get; }

    /// <summary>Conversations that are learned from.</summary>
    public int Conversations => conversations.Count;

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public bool IsPacked { get; }

    /// <inheritdoc/>
    public long Count => rows.Count;

    /// <summary>Scored tokens of all rows.</summary>
    public long Scored => conversations.Sum(c => (long)c.Trained.Skip(1).Count(t => t));

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        tokens.Clear();
        targets.Fill(-1);
        int place = 0;
        foreach (int conversation in rows[(int)index])
        {
            var (ids, trained) = conversations[conversation];
            int count = Math.Min(ids.Length - 1, Length - place);
            for (int i = 0; i < count; i++)
            {
                tokens[place + i] = ids[i];
                if (trained[i + 1])
                    targets[place + i] = ids[i + 1];
            }

            place += count;
        }
    }

    /// <inheritdoc/>
    public void ReadStarts(long epoch, long index, Span<int> starts)
    {
        starts.Clear();
        if (!IsPacked)
            return;
        int place = 0;
        foreach (int conversation in rows[(int)index])
        {
            int count = Math.Min(conversations[conversation].Ids.Length - 1, Length - place);
            starts.Slice(place, count).Fill(place);
            place += count;
        }

        starts[place..].Fill(place); // what is behind the last one sees none of them
    }
}
