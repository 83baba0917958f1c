using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Bench.Peers;

/// <summary>TinyLlm's own model in training: what <c>TrainingStep</c> does, on batches that are given.</summary>
internal sealed class TinyLlmGpt : ITrainee
{
    private const float LearningRate = 1e-3f;

    private readonly Backend backend;
    private readonly Gpt model;
    private readonly Arena arena;
    private readonly Activations activations;
    private readonly AdamW optimizer;
    private readonly AdamWSettings settings = new(0.9f, 0.99f, 1e-8f, 0.1f, Clip: 0);
    private readonly StepState state;
    private readonly Tensor lossSum;
    private readonly int[] positions;
    private readonly float[] loss = new float[1];
    private int step;

    public TinyLlmGpt(ModelSize size, int threads)
    {
        backend = Backend.Create("cpu", threads);
        model = new Gpt(GptConfig.Create(Architecture.Gpt2, size.Layers, size.Heads, size.Width, size.Context, size.Vocabulary), backend);
        model.Initialize(1);
        arena = new Arena(backend, "training");
        model.PlanGradients(arena);
        optimizer = new AdamW(model, settings, arena, arena.Add("squared gradient norm", 1));
        activations = new Activations(arena, model.Config, size.BatchSize, size.Context, training: true);
        state = new StepState(arena);
        lossSum = arena.Add("loss", 1);
        arena.Allocate();
        positions = Enumerable.Range(0, size.Tokens).Select(i => i % size.Context).ToArray();
        backend.Fill(activations.TokenWeights, 1f / size.Tokens);
    }

    public string Name => "TinyLlm";

    public float Step(int[] tokens, int[] targets)
    {
        backend.Fill(model.AllGradients, 0);
        backend.Fill(lossSum, 0);
        state.Send(1, step++, 0, LearningRate, settings.Beta1, settings.Beta2);
        activations.SetInputs(tokens, positions);
        activations.SetTargets(targets);
        model.Forward(activations, state: state);
        model.LogProbabilitiesAndBackward(activations, state);
        backend.Dot(activations.LogProbabilities, activations.TokenWeights, -1, lossSum);
        optimizer.Step(state);
        backend.Read(lossSum, loss);
        return loss[0];
    }

    public void Dispose()
    {
        arena.Dispose();
        model.Dispose();
        backend.Dispose();
    }
}
