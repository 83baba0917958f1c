using TinyLlm.Bench.Training;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Bench.Peers;

/// <summary>TinyLlm's own model in training: what <c>TrainingStep</c> does, on batches that are given.</summary>
internal sealed class TinyLlmTrainee : ITrainee
{
    private readonly Backend backend;
    private readonly Gpt model;
    private readonly Arena arena;
    private readonly Activations activations;
    private readonly AdamW optimizer;
    private readonly AdamWSettings settings =
        new(Recipe.Beta1, Recipe.Beta2, Recipe.Epsilon, Recipe.WeightDecay, Clip: 0);
    private readonly StepState state;
    private readonly Tensor lossSum;
    private readonly int[] positions;
    private readonly float[] loss = new float[1];
    private int step;

    public TinyLlmTrainee(TraineeSetup setup)
    {
        var size = setup.Size;
        backend = Backend.Create("cpu", setup.Threads);
        model = new Gpt(size.Gpt2(), backend);
        WeightsFile.Load(setup.Weights, model);
        // What reading the file left behind is no part of training.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        arena = new Arena(backend, "training");
        model.PlanGradients(arena);
        optimizer = new AdamW(model, model.Parameters.All, settings, arena, arena.Add("squared gradient norm", 1));
        activations = new Activations(arena, model.Config, size.BatchSize, size.Context, training: true);
        state = new StepState(arena);
        lossSum = arena.Add("loss", 1);
        arena.Allocate();
        positions = [.. Enumerable.Range(0, size.Tokens).Select(i => i % size.Context)];
        backend.Fill(activations.TokenWeights, 1f / size.Tokens);
    }

    public float Step(int[] tokens, int[] targets)
    {
        backend.Fill(lossSum, 0);
        state.Send(1, step++, 0, Recipe.LearningRate, settings.Beta1, settings.Beta2);
        activations.SetInputs(tokens, positions);
        activations.SetTargets(targets);
        model.Forward(activations, state: state);
        model.LogProbabilitiesAndBackward(activations, state, accumulate: false);
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
