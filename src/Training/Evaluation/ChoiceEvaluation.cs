using System.Text;
using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Training;

/// <summary>Which multiple-choice rows a model gets right.</summary>
/// <param name="ByLikelihood">For each row, whether the choice with the highest log-likelihood is the answer (acc);
/// null where a choice does not fit the context.</param>
/// <param name="ByLikelihoodOfAByte">The same with the log-likelihood over the number of the choice's bytes
/// (acc_norm).</param>
public sealed record ChoiceEvaluation(IReadOnlyList<bool?> ByLikelihood, IReadOnlyList<bool?> ByLikelihoodOfAByte)
{
    /// <summary>
    /// Scores rows as HellaSwag is (Zellers et al. 2019): the model picks the choice that it finds the likeliest after
    /// the context. Of equal ones the first counts as picked.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="b">Choices that go through the model at once.</param>
    /// <param name="chat">Whether through the chat template (<see cref="ChoiceExamples"/>).</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The result, or nothing where it was asked to stop before all was measured.</returns>
    /// <exception cref="TinyLlmException">No row fits the context, a text cannot be encoded, the memory is not there,
    /// or the model's numbers are not finite.</exception>
    public static ChoiceEvaluation? Run(
        Gpt model, Tokenizer tokenizer, IReadOnlyList<ChoiceRow> rows, int b, bool chat,
        CancellationToken stop = default)
    {
        var examples = new ChoiceExamples(rows, tokenizer, model.Config.Context, chat);
        var scores = new ExampleScore[examples.Count];
        if (new Evaluator(examples, tokenizer, b).Evaluate(model, b, scores, stop) is null)
            return null;
        bool?[] plain = new bool?[rows.Count], normalised = new bool?[rows.Count];
        for (int row = 0; row < rows.Count; row++)
        {
            int first = examples.First[row];
            if (first < 0)
                continue;
            double[] logLikelihoods =
                [.. scores.AsSpan(first, rows[row].Choices.Count).ToArray().Select(score => -score.Loss)];
            if (!logLikelihoods.All(double.IsFinite))
            {
                throw new TinyLlmException($"The model gives a choice of row {row + 1} a likelihood that is not a "
                    + "number; expected finite ones. Its weights are damaged or its training diverged: use an earlier "
                    + "checkpoint.");
            }

            plain[row] = IndexOfLargest(logLikelihoods) == rows[row].Answer;
            normalised[row] = IndexOfLargest(
                [.. logLikelihoods.Select(
                    (value, i) => value / Encoding.UTF8.GetByteCount(rows[row].Choices[i].Trim()))])
                        == rows[row].Answer;
        }

        return new ChoiceEvaluation(plain, normalised);
    }

    private static int IndexOfLargest(double[] values) => Array.IndexOf(values, values.Max());
}
