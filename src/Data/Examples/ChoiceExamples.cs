using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>
/// The choices of multiple-choice rows as examples, one a choice, of which only the choice is scored. As plain text a
/// choice goes on from the context after one space, in a document of its own; in a chat the context is the user's
/// message and the choice the assistant's, with the mark that ends it. White space around a choice, and before it, does
/// not count.
/// </summary>
public sealed class ChoiceExamples : IExamples
{
    private readonly List<(int[] Ids, int Scored)> choices = []; // ids, and how many of the last are the choice's

    /// <summary>Encodes rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="context">The model's longest sequence.</param>
    /// <param name="chat">Whether to use the chat template.</param>
    /// <exception cref="TinyLlmException">No row fits the context, or the tokenizer cannot write a text.</exception>
    public ChoiceExamples(IReadOnlyList<ChoiceRow> rows, Tokenizer tokenizer, int context, bool chat)
    {
        var first = new int[rows.Count];
        int longest = 0;
        for (int row = 0; row < rows.Count; row++)
        {
            var (before, after) = RowPlace.At(rows[row].Place, () => Encode(tokenizer, rows[row], chat));

            // T tokens have T targets: T + 1 ids.
            int most = before.Length + after.Max(ids => ids.Length) - 1;
            first[row] = most <= context ? choices.Count : -1;
            if (most > context)
                continue;
            longest = Math.Max(longest, most);
            choices.AddRange(after.Select(ids => ((int[])[.. before, .. ids], ids.Length)));
        }

        if (choices.Count == 0)
        {
            throw new TinyLlmException($"None of the {rows.Count:N0} multiple-choice rows fits the model's context of "
                + $"{context:N0} tokens; expected one or more. Give shorter rows, or a model with a longer context.");
        }

        First = first;
        Length = RowLength.For(longest, context);
    }

    /// <summary>
    /// For each row, the number of its first choice's example, which those of the others follow; -1 where a choice does
    /// not fit the context.
    /// </summary>
    public IReadOnlyList<int> First { get; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count => choices.Count;

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        var (ids, scored) = choices[(int)index];
        tokens.Clear();
        targets.Fill(-1);
        ids.AsSpan(..^1).CopyTo(tokens);
        ids.AsSpan(^scored..).CopyTo(targets[(ids.Length - 1 - scored)..]);
    }

    private static (int[] Before, int[][] After) Encode(Tokenizer tokenizer, ChoiceRow row, bool chat)
    {
        int[] before = chat
            ? ChatTemplate.EncodePrompt(tokenizer, [new ChatMessage("user", row.Context)])
            : [tokenizer.DocumentStart, .. tokenizer.Encode(row.Context.TrimEnd())];
        bool spaced = !chat && !string.IsNullOrWhiteSpace(row.Context);
        return (before, [.. row.Choices.Select(choice => chat ? [.. tokenizer.Encode(choice.Trim()), tokenizer.TurnEnd]
            : tokenizer.Encode((spaced ? " " : "") + choice.Trim()))]);
    }
}
