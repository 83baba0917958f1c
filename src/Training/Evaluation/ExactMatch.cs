using System.Text;
using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Training;

/// <summary>Whether a model answers as the data does, character by character.</summary>
public static class ExactMatch
{
    private const int MaxAnswerTokens = 64;

    /// <summary>Answers the last question of each row greedily. White space around an answer does not count.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>For each row, whether the answer is equal to the row's; null where it has none after a question.
    /// Nothing where it was asked to stop.</returns>
    /// <exception cref="TinyLlmException">No row has an answer, or the model's numbers are not finite.</exception>
    public static IReadOnlyList<bool?>? Run(Gpt model, Tokenizer tokenizer, IReadOnlyList<Conversation> rows,
        CancellationToken stop = default)
    {
        using var generator = new Generator(model);
        var right = new bool?[rows.Count];
        for (int row = 0; row < rows.Count; row++)
        {
            var messages = rows[row].Messages;
            int last = rows[row].LastAnswer;
            if (stop.IsCancellationRequested)
                return null;
            if (last >= 1)
            {
                right[row] = Answer(generator, model, tokenizer, [.. messages.Take(last)], stop)
                    .Trim() == messages[last].Content.Trim();
            }
        }

        return right.Any(r => r is not null) ? right
            : throw new TinyLlmException("--exact-match: no row has an assistant's answer after a question; expected "
                + "one or more. Leave the option out for this data.");
    }

    private static string Answer(
        Generator generator, Gpt model, Tokenizer tokenizer, IReadOnlyList<ChatMessage> messages,
        CancellationToken stop)
    {
        var bytes = new List<byte>();
        var greedy = new Sampler(new SamplerSettings { Temperature = 0 }, 0, model.Config.VocabularySize);
        generator.Generate(ChatTemplate.EncodePrompt(tokenizer, messages), MaxAnswerTokens, greedy, token =>
        {
            if (tokenizer.EndsText(token))
                return false;
            bytes.AddRange(tokenizer.TokenBytes(token));
            return true;
        }, stop);
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
