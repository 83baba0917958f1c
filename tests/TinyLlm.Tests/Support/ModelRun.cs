using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Tests.Support;

/// <summary>A model with the memory of training batches of one size, for tests that look at single passes.</summary>
internal sealed class ModelRun : IDisposable
{
    private readonly Arena arena;

    public ModelRun(Gpt model, int b, int t, bool recompute = false)
    {
        Model = model;
        arena = new Arena(model.Backend, "test");
        model.PlanGradients(arena);
        Activations = new Activations(arena, model.Config, b, t, training: true, recompute);
        State = new StepState(arena);
        LogitsTensor = arena.Add("logits", (b, t, model.Config.PaddedVocabulary));
        arena.Allocate();
    }

    public Gpt Model { get; }

    public Activations Activations { get; }

    public StepState State { get; }

    private Tensor LogitsTensor { get; }

    /// <summary>Hidden states and log-probabilities of a batch whose rows begin at position 0.</summary>
    public float[] Forward(int[] tokens, int[] targets, bool training = false)
    {
        var a = Activations;
        a.SetInputs(tokens, Enumerable.Range(0, a.B * a.T).Select(i => i % a.T).ToArray());
        a.SetTargets(targets);
        Model.Forward(a, state: training ? State : null);
        Model.LogProbabilities(a);
        return Read(a.LogProbabilities);
    }

    /// <summary>Logits (B, T, V) of the last forward pass, without the padding.</summary>
    public float[] Logits()
    {
        Model.Logits(Activations.Hidden, LogitsTensor);
        int v = Model.Config.VocabularySize, padded = Model.Config.PaddedVocabulary;
        var all = Read(LogitsTensor);
        return Enumerable.Range(0, all.Length / padded).SelectMany(row => all[(row * padded)..(row * padded + v)])
            .ToArray();
    }

    /// <summary>Gradients of the loss with these token weights, added to what is there.</summary>
    public void Backward(float[] weights, bool training = false)
    {
        Model.Backend.Write(Activations.TokenWeights, weights);
        Model.Backward(Activations, training ? State : null);
    }

    /// <summary>Forward and backward of the mean loss, from zero gradients; returns the loss.</summary>
    public double LossAndGradients(int[] tokens, int[] targets)
    {
        int scored = targets.Count(t => t >= 0);
        double loss = -Forward(tokens, targets).Sum(p => (double)p) / scored;
        Model.Backend.Fill(Model.AllGradients, 0);
        Backward(targets.Select(t => t >= 0 ? 1f / scored : 0).ToArray());
        return loss;
    }

    public static float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Count];
        tensor.Storage.Backend.Read(tensor, values);
        return values;
    }

    /// <summary>Weights or gradients by file name, in the file's layout.</summary>
    public static Dictionary<string, float[]> InFileLayout(Gpt model, Func<Parameter, Tensor> tensorOf)
    {
        var files = new Dictionary<string, float[]>();
        foreach (var parameter in model.Parameters.All)
        {
            float[] values = Read(tensorOf(parameter));
            int columns = values.Length / parameter.Shape[0];
            foreach (var part in parameter.Parts)
            {
                var rows = values.AsSpan(part.FirstRow * columns, part.Rows * columns).ToArray();
                files[part.Name] = part.Transposed
                    ? Enumerable.Range(0, columns)
                        .SelectMany(c => Enumerable.Range(0, part.Rows).Select(r => rows[r * columns + c])).ToArray()
                    : rows;
            }
        }

        return files;
    }

    public void Dispose() => arena.Dispose();
}
