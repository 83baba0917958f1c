using TinyLlm.Training;

namespace TinyLlm.Cli;

/// <summary>What eval measured of one model on one source; null what it did not.</summary>
/// <param name="Loss">Loss of all examples together.</param>
/// <param name="Examples">Loss of each.</param>
/// <param name="Exact">For each conversation, whether the answer is the row's.</param>
/// <param name="Choices">Multiple-choice rows.</param>
internal sealed record EvalResult(
    Evaluation? Loss, ExampleScore[] Examples, IReadOnlyList<bool?>? Exact, ChoiceEvaluation? Choices)
{
    /// <summary>The shares of rows that are right, with their names.</summary>
    public IEnumerable<(string Name, IReadOnlyList<bool?> Rows)> Shares()
    {
        if (Exact is not null)
            yield return ("exact match", Exact);
        if (Choices is not null)
        {
            yield return ("acc", Choices.ByLikelihood);
            yield return ("acc_norm", Choices.ByLikelihoodOfAByte);
        }
    }
}
