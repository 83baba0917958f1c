using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Training;

/// <summary>How well a model predicts a text.</summary>
/// <param name="Loss">Mean cross-entropy of the scored tokens, in nats a token.</param>
/// <param name="BitsPerByte">The same in bits for each byte of the scored tokens' text: comparable between tokenizers.</param>
/// <param name="Tokens">Number of scored tokens.</param>
public sealed record Evaluation(double Loss, double BitsPerByte, long Tokens)
{
    /// <summary>e^loss.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>Measures a model on a fixed set of examples: all of them, each token once, or the same first batches every time.</summary>
public sealed class Evaluator
{
    private readonly IExamples examples;
    private readonly int[] tokenBytes;
    private readonly int batches;
    private readonly Batch batch;
    private readonly (long Epoch, long Index)[] places;
    private readonly int[] positions;
    private readonly float[] logProbabilities;

    /// <summary>Prepares the evaluation.</summary>
    /// <param name="examples">What to predict.</param>
    /// <param name="tokenizer">For the length of each token in bytes.</param>
    /// <param name="b">Rows of a batch.</param>
    /// <param name="batches">How many batches to look at; 0 for all.</param>
    /// <exception cref="TinyLlmException">The number of batches is negative, or a batch is too large.</exception>
    public Evaluator(IExamples examples, Tokenizer tokenizer, int b, int batches = 0)
    {
        if (batches < 0)
            throw new TinyLlmException($"--eval-batches {batches}: expected 0 (all) or more.");
        this.examples = examples;
        int all = (int)((examples.Count + b - 1) / b), t = examples.Length;
        this.batches = batches == 0 ? all : Math.Min(batches, all);
        batch = new Batch(b, t);
        places = new (long, long)[b];
        positions = Positions.Of(b, t);
        logProbabilities = new float[b * t];

        // Special tokens stand for no bytes of the text.
        tokenBytes = new int[tokenizer.VocabularySize];
        for (int id = 0; id < tokenizer.EndOfText; id++)
            tokenBytes[id] = tokenizer.TokenBytes(id).Length;
    }

    /// <summary>Runs the model over the examples. The activations must be planned for this batch and length; they are overwritten.</summary>
    public Evaluation Evaluate(Gpt model, Activations activations)
    {
        double loss = 0;
        long tokens = 0, bytes = 0;
        for (int i = 0; i < batches; i++)
        {
            for (int row = 0; row < places.Length; row++)
            {
                long index = (long)i * places.Length + row;
                places[row] = (0, index < examples.Count ? index : -1);
            }

            batch.Fill(examples, places);
            activations.SetInputs(batch.Tokens, positions);
            activations.SetTargets(batch.Targets);
            model.Forward(activations);
            model.LogProbabilities(activations);
            model.Backend.Read(activations.LogProbabilities, logProbabilities);
            for (int n = 0; n < logProbabilities.Length; n++)
            {
                if (batch.Targets[n] < 0)
                    continue;
                loss -= logProbabilities[n];
                tokens++;
                bytes += tokenBytes[batch.Targets[n]];
            }
        }

        return new Evaluation(loss / tokens, loss / Math.Log(2) / Math.Max(bytes, 1), tokens);
    }
}
