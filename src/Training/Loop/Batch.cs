using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>Examples of one micro-batch, on the host.</summary>
public sealed class Batch
{
    private readonly int b, t;

    /// <summary>Takes the memory of a batch.</summary>
    /// <param name="b">Rows.</param>
    /// <param name="t">Tokens of a row.</param>
    /// <param name="packed">Whether rows may hold several documents.</param>
    public Batch(int b, int t, bool packed = false)
    {
        (this.b, this.t) = (b, t);
        (Tokens, Targets, Starts) = (new int[b * t], new int[b * t], packed ? new int[b * t] : []);
    }

    /// <summary>(B, T): token ids.</summary>
    public int[] Tokens { get; }

    /// <summary>(B, T): ids to predict, -1 where none is scored.</summary>
    public int[] Targets { get; }

    /// <summary>
    /// (B, T): the place in the row where each token's document begins; nothing where rows are not packed.
    /// </summary>
    public int[] Starts { get; }

    /// <summary>Number of scored tokens.</summary>
    public int Scored { get; private set; }

    /// <summary>Rows.</summary>
    public int B => b;

    /// <summary>Sends it all to the model's inputs.</summary>
    /// <param name="activations">Planned for the same (B, T), and for packed rows where these are.</param>
    /// <param name="positions">(B, T): room for the place of each token in its document.</param>
    public void SendTo(Activations activations, int[] positions)
    {
        for (int i = 0; i < positions.Length; i++)
            positions[i] = i % t - (Starts.Length > 0 ? Starts[i] : 0);
        activations.SetInputs(Tokens, positions);
        activations.SetTargets(Targets);
        if (Starts.Length > 0)
            activations.SetStarts(Starts);
    }

    /// <summary>
    /// Fills row r with example <paramref name="places"/>[r]; rows whose index is negative are left unscored.
    /// </summary>
    public void Fill(IExamples examples, ReadOnlySpan<(long Epoch, long Index)> places)
    {
        for (int row = 0; row < b; row++)
        {
            var tokens = Tokens.AsSpan(row * t, t);
            var targets = Targets.AsSpan(row * t, t);
            var (epoch, index) = places[row];
            var starts = Starts.Length > 0 ? Starts.AsSpan(row * t, t) : [];
            if (index >= 0)
            {
                examples.Read(epoch, index, tokens, targets);
                if (starts.Length > 0)
                    examples.ReadStarts(epoch, index, starts);
                continue;
            }

            tokens.Clear();
            targets.Fill(-1);
            starts.Clear();
        }

        Scored = 0;
        foreach (int target in Targets)
            Scored += target >= 0 ? 1 : 0;
    }
}
