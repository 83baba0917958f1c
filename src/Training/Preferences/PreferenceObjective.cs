using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Preferences;

/// <summary>What some comparisons show of a model.</summary>
/// <param name="Pairs">How many they are.</param>
/// <param name="Loss">Sum of their losses.</param>
/// <param name="Margin">Sum of the differences of reward.</param>
/// <param name="Right">How many have the chosen answer ahead.</param>
public readonly record struct PreferenceFigures(long Pairs, double Loss, double Margin, long Right)
{
    /// <summary>Of two sets together.</summary>
    public static PreferenceFigures operator +(PreferenceFigures a, PreferenceFigures b) =>
        new(a.Pairs + b.Pairs, a.Loss + b.Loss, a.Margin + b.Margin, a.Right + b.Right);
}

/// <summary>
/// Learning from comparisons (direct preference optimisation and its kin): the loss of a pair depends on both answers'
/// log-probabilities, so that the token weights of the backward pass are known only after the forward pass.
/// </summary>
public sealed class PreferenceObjective : IObjective
{
    private readonly PreferenceSettings settings;
    private readonly double[] reference;

    /// <summary>Prepares the objective.</summary>
    /// <param name="settings">Beta and the kind of loss.</param>
    /// <param name="reference">The reference's log-probability of each example, from <see cref="LogProbabilities"/> of
    /// the model that is begun with.</param>
    public PreferenceObjective(PreferenceSettings settings, double[] reference)
    {
        settings.Validate();
        (this.settings, this.reference) = (settings, reference);
    }

    /// <summary>Sums of the log-probabilities of each example's scored tokens.</summary>
    public static double[] LogProbabilities(Gpt model, PreferenceExamples examples, int rows, CancellationToken stop)
    {
        using var arena = new Arena(model.Backend, "reference");
        var activations = new Activations(arena, model.Config, rows, examples.Length, training: false);
        arena.Allocate();
        var sums = new double[examples.Count];
        bool done = new ForwardPass(examples, examples.Count).Run(model, activations, (first, batch, _, logs) =>
        {
            for (int row = 0; row < rows && first + row < examples.Count; row++)
                sums[first + row] = SumOf(batch, row, logs).Sum;
        }, stop);
        if (!done)
            throw new OperationCanceledException(stop);
        return sums;
    }

    /// <summary>
    /// Token weights of the loss -sum w log p whose gradient is that of the pairs' mean loss. Rows 2 n and 2 n + 1 are
    /// a pair; rows without a place count nothing.
    /// </summary>
    /// <param name="batch">The rows.</param>
    /// <param name="places">Their examples.</param>
    /// <param name="logProbabilities">(B T): of each target.</param>
    /// <param name="pairs">Pairs of which the mean is taken.</param>
    /// <param name="tokenWeights">(B T): overwritten.</param>
    public PreferenceFigures Weigh(
        Batch batch,
        ReadOnlySpan<(long Epoch, long Index)> places, ReadOnlySpan<float> logProbabilities, long pairs,
        Span<float> tokenWeights)
    {
        int t = batch.Targets.Length / batch.B;
        PreferenceFigures figures = default;
        tokenWeights.Clear();
        for (int row = 0; row + 1 < batch.B; row += 2)
        {
            if (places[row].Index < 0)
                continue;
            var chosen = LogsOf(batch, row, places[row].Index, logProbabilities);
            var rejected = LogsOf(batch, row + 1, places[row + 1].Index, logProbabilities);
            var loss = PreferenceLoss.Of(settings, chosen, rejected);
            figures += new PreferenceFigures(1, loss.Loss, loss.Margin, loss.Margin > 0 ? 1 : 0);
            for (int i = 0; i < t; i++)
            {
                if (batch.Targets[row * t + i] >= 0)
                    tokenWeights[row * t + i] = (float)(-loss.ChosenSlope / pairs);
                if (batch.Targets[(row + 1) * t + i] >= 0)
                    tokenWeights[(row + 1) * t + i] = (float)(-loss.RejectedSlope / pairs);
            }
        }

        return figures;
    }

    /// <inheritdoc/>
    ObjectiveFigures IObjective.Weigh(
        Batch batch,
        ReadOnlySpan<(long Epoch, long Index)> places, ReadOnlySpan<float> logProbabilities, long rowsOfStep,
        Span<float> tokenWeights)
    {
        var figures = Weigh(batch, places, logProbabilities, rowsOfStep / 2, tokenWeights);
        return new ObjectiveFigures(figures.Loss / (rowsOfStep / 2), figures);
    }

    private AnswerLogs LogsOf(Batch batch, int row, long index, ReadOnlySpan<float> logProbabilities)
    {
        var (sum, count) = SumOf(batch, row, logProbabilities);
        return new AnswerLogs(sum, reference[index], count);
    }

    private static (double Sum, int Count) SumOf(Batch batch, int row, ReadOnlySpan<float> logProbabilities)
    {
        int t = batch.Targets.Length / batch.B, count = 0;
        double sum = 0;
        for (int i = row * t; i < (row + 1) * t; i++)
        {
            if (batch.Targets[i] < 0)
                continue;
            sum += logProbabilities[i];
            count++;
        }

        return (sum, count);
    }
}
