using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>
/// Comparisons as examples, two for each pair: example 2 n is the chosen answer of pair n behind its prompt, 2 n + 1
/// the rejected one. Scored are the tokens of the answer and the mark that ends it.
/// </summary>
public sealed class PreferenceExamples : IExamples
{
    private readonly List<(int[] Ids, int Prompt)> rows = [];

    /// <summary>
    /// Encodes comparisons; those whose prompt and longer answer do not fit the context are left out and counted.
    /// </summary>
    /// <param name="pairs">The comparisons.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="context">The model's longest sequence.</param>
    /// <param name="length">T, or 0 for the shortest that holds the longest.</param>
    /// <exception cref="TinyLlmException">None fits, or the tokenizer cannot write one, which is named.</exception>
    public PreferenceExamples(IEnumerable<PreferencePair> pairs, Tokenizer tokenizer, int context, int length = 0)
    {
        int longest = 0, room = length > 0 ? length : context;
        foreach (var pair in pairs)
        {
            var (prompt, chosen, rejected) = RowPlace.At(pair.Place, () =>
                (ChatTemplate.EncodePrompt(tokenizer, pair.Prompt).Length, Encode(tokenizer, pair.Prompt, pair.Chosen),
                    Encode(tokenizer, pair.Prompt, pair.Rejected)));
            int needed = Math.Max(chosen.Length, rejected.Length) - 1;
            if (needed > room)
            {
                Skipped++;
                continue;
            }

            rows.Add((chosen, prompt));
            rows.Add((rejected, prompt));
            longest = Math.Max(longest, needed);
        }

        if (rows.Count == 0)
        {
            throw new TinyLlmException($"No comparison fits the model's context of {room} tokens ({Skipped:N0} are "
                + "longer); expected shorter rows, or a model with a longer --context.");
        }

        Length = length > 0 ? length : RowLength.For(longest, context);
    }

    /// <summary>Comparisons that do not fit.</summary>
    public int Skipped { get; }

    /// <summary>Comparisons.</summary>
    public int Pairs => rows.Count / 2;

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count => rows.Count;

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        var (ids, prompt) = rows[(int)index];
        tokens.Clear();
        targets.Fill(-1);
        for (int i = 0; i < ids.Length - 1; i++)
        {
            tokens[i] = ids[i];
            if (i + 1 >= prompt)
                targets[i] = ids[i + 1];
        }
    }

    /// <inheritdoc/>
    public int Together => 2;

    /// <summary>The two rows of a pair follow each other.</summary>
    public IExampleOrder Order(ulong seed) => new PairOrder(new ExampleOrder(Pairs, seed));

    // Up to the mark that ends the answer; the line feed behind it is the template's.
    private static int[] Encode(Tokenizer tokenizer, IReadOnlyList<ChatMessage> prompt, string answer)
    {
        List<int> ids = [];
        ChatTemplate.Encode(tokenizer, [.. prompt, new ChatMessage(ChatTemplate.Assistant, answer)], ids, []);
        return [.. ids.Take(ids.LastIndexOf(tokenizer.TurnEnd) + 1)];
    }

    private sealed class PairOrder(IExampleOrder pairs) : IExampleOrder
    {
        public (long Epoch, long Index) At(long position)
        {
            var (epoch, pair) = pairs.At(position / 2);
            return (epoch, 2 * pair + position % 2);
        }
    }
}
