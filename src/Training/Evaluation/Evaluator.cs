using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training.Preferences;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Training;

/// <summary>How well a model predicts a text.</summary>
/// <param name="Loss">Mean cross-entropy of the scored tokens, in nats a token.</param>
/// <param name="BitsPerByte">
/// The same in bits for each byte of the scored tokens' text: comparable between tokenizers. Not a number where one of
/// them stands for an unknown word: its bytes are not known, and a model that says that a word is unknown has not said
/// the word.
/// </param>
/// <param name="Tokens">Number of scored tokens.</param>
public sealed record Evaluation(double Loss, double BitsPerByte, long Tokens)
{
    /// <summary>Scored tokens that stand for unknown words.</summary>
    public long Unknown { get; init; }

    /// <summary>Of comparisons, which have a loss of their own and no bits: what they show, all together.</summary>
    public PreferenceFigures? Preferences { get; init; }

    /// <summary>
    /// Of the model's own answers: what they earned. The loss is then the negative of their mean reward.
    /// </summary>
    public RewardFigures? Rewards { get; init; }

    /// <summary>
    /// Whether there was anything to measure; false where no answer came to an end: then the loss is NaN.
    /// </summary>
    public bool IsMeasured => Rewards is not { Ended: 0 };

    /// <summary>e^loss.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>What was measured on one example.</summary>
/// <param name="Loss">Cross-entropy of its scored tokens together, in nats: minus the log-likelihood.</param>
/// <param name="Tokens">Number of scored tokens.</param>
/// <param name="Bytes">Bytes of their text, but for unknown words.</param>
public readonly record struct ExampleScore(double Loss, long Tokens, long Bytes);

/// <summary>
/// Measures a model on a fixed set of examples: all of them, each token once, or the same first batches every time.
/// </summary>
public sealed class Evaluator : IEvaluator
{
    private readonly ForwardPass pass;
    private readonly int[] tokenBytes;
    private readonly int? unknown;
    private readonly long count; // examples that are measured

    /// <summary>Prepares the evaluation.</summary>
    /// <param name="examples">What to predict.</param>
    /// <param name="tokenizer">For the length of each token in bytes.</param>
    /// <param name="b">Rows of a batch, as they are counted here; the model may take fewer at once.</param>
    /// <param name="batches">How many batches to look at; 0 for all.</param>
    /// <exception cref="TinyLlmException">The number of batches is negative.</exception>
    public Evaluator(IExamples examples, Tokenizer tokenizer, int b, int batches = 0)
    {
        if (batches < 0)
            throw new TinyLlmException($"--eval-batches {batches}: expected 0 (all) or more.");
        count = batches == 0 ? examples.Count : Math.Min((long)batches * b, examples.Count);
        pass = new ForwardPass(examples, count);

        // Marks stand for no bytes of the text.
        unknown = tokenizer.Unknown;
        tokenBytes = new int[tokenizer.VocabularySize];
        for (int id = 0; id < tokenBytes.Length; id++)
            tokenBytes[id] = tokenizer.IsText(id) ? tokenizer.TokenBytes(id).Length : 0;
    }

    /// <summary>Examples that are measured.</summary>
    public long Count => count;

    /// <summary>As below, for all examples together.</summary>
    public Evaluation? Evaluate(Gpt model, Activations activations, CancellationToken stop = default) =>
        Evaluate(model, activations, null, stop);

    /// <summary>As below, in memory of its own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Examples that go through it at once.</param>
    /// <param name="each">Room for what each example gives.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="TinyLlmException">The memory is not there.</exception>
    public Evaluation? Evaluate(Gpt model, int rows, ExampleScore[] each, CancellationToken stop)
    {
        using var arena = new Arena(model.Backend, "evaluation");
        var activations = new Activations(arena, model.Config, rows, pass.Length, training: false);
        arena.Allocate();
        return Evaluate(model, activations, each, stop);
    }

    /// <summary>
    /// Runs the model over the examples, as many at once as the activations have rows, which must be as long; they are
    /// overwritten. The same tokens are measured whatever the number of rows.
    /// </summary>
    /// <param name="each">Room for what each example gives, or nothing where only all together count.</param>
    /// <returns>What was measured, or nothing where it was asked to stop before all was.</returns>
    /// <exception cref="TinyLlmException">No token of the examples is scored.</exception>
    public Evaluation? Evaluate(
        Gpt model, Activations activations, ExampleScore[]? each, CancellationToken stop = default)
    {
        if (each is not null && each.Length != count)
            throw new ArgumentException($"Evaluator: room for {each.Length} examples; expected {count}.", nameof(each));
        double loss = 0;
        long tokens = 0, bytes = 0, unknownTokens = 0;
        bool done = pass.Run(model, activations, (first, batch, _, logProbabilities) =>
        {
            for (int n = 0; n < logProbabilities.Length; n++)
            {
                if (batch.Targets[n] < 0)
                    continue;
                loss -= logProbabilities[n];
                tokens++;
                bytes += tokenBytes[batch.Targets[n]];
                unknownTokens += batch.Targets[n] == unknown ? 1 : 0;
                if (each is null)
                    continue;
                ref var score = ref each[first + n / activations.T];
                score = new ExampleScore(
                    score.Loss - logProbabilities[n], score.Tokens + 1, score.Bytes + tokenBytes[batch.Targets[n]]);
            }
        }, stop);
        if (!done)
            return null;
        if (tokens == 0)
        {
            throw new TinyLlmException(
                "There is no token to score: the data has nothing but what begins a document. Give more text.");
        }

        double bitsPerByte = unknownTokens > 0 ? double.NaN : loss / Math.Log(2) / Math.Max(bytes, 1);
        return new Evaluation(loss / tokens, bitsPerByte, tokens) { Unknown = unknownTokens };
    }
}
