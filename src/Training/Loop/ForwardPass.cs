using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>
/// A model's log-probabilities of a set of examples, each once and in their order, as many at once as the activations
/// have rows.
/// </summary>
/// <param name="examples">What to predict.</param>
/// <param name="count">How many of them, from the first on.</param>
internal sealed class ForwardPass(IExamples examples, long count)
{
    private Batch? batch;
    private (long Epoch, long Index)[] places = [];
    private int[] positions = [];
    private float[] logProbabilities = [];

    /// <summary>Tokens of an example.</summary>
    public int Length => examples.Length;

    /// <summary>What is done with a batch.</summary>
    /// <param name="first">The example in its first row; the others follow it.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="places">(B): each row's example; the index of a row without one is negative.</param>
    /// <param name="logProbabilities">(B T): of each target; valid until the next batch.</param>
    public delegate void Reading(
        long first, Batch batch, ReadOnlySpan<(long Epoch, long Index)> places, ReadOnlySpan<float> logProbabilities);

    /// <summary>Runs the model over the examples.</summary>
    /// <param name="model">The model.</param>
    /// <param name="activations">Of any number of rows, each as long as an example; overwritten.</param>
    /// <param name="read">Called after each batch.</param>
    /// <param name="stop">Looked at before each batch.</param>
    /// <returns>Whether all examples were reached before the stop.</returns>
    public bool Run(Gpt model, Activations activations, Reading read, CancellationToken stop)
    {
        var batch = BatchOf(activations.B, activations.T);
        for (long first = 0; first < count; first += batch.B)
        {
            if (stop.IsCancellationRequested)
                return false;
            for (int row = 0; row < batch.B; row++)
                places[row] = (0, first + row < count ? first + row : -1);

            batch.Fill(examples, places);
            batch.SendTo(activations, positions);
            model.Forward(activations);
            model.LogProbabilities(activations);
            model.Backend.Read(activations.LogProbabilities, logProbabilities);
            read(first, batch, places, logProbabilities);
        }

        return true;
    }

    // Made by the first run, and the same for all that follow.
    private Batch BatchOf(int b, int t)
    {
        if (batch?.B == b)
            return batch;
        places = new (long, long)[b];
        (positions, logProbabilities) = (new int[b * t], new float[b * t]);
        return batch = new Batch(b, t, examples.IsPacked);
    }
}
