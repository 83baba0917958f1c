using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training.Optimizers;

/// <summary>AdamW over some of a model's parameters: those move as among all, the others stay.</summary>
public sealed class AdamWSubsetTests
{
    [Theory]
    [InlineData("mlp", 4)] // two matrices side by side in each of two blocks, but others between the blocks
    [InlineData("model", 18)] // all of them
    [InlineData("norm", 9)]
    [InlineData("embed", 1)]
    public void SomeParameters_MoveAsAmongAll(string part, int count)
    {
        using var backend = Backend.Create("cpu", 1);
        using Gpt all = NewModel(backend), some = NewModel(backend);
        var chosen = some.Parameters.All.Where(p => p.Name.Contains(part, StringComparison.Ordinal)).ToList();
        Assert.Equal(count, chosen.Count);
        float[][] before = [.. some.Parameters.All.Select(p => ModelRun.Read(p.Value))];

        Train(all, all.Parameters.All);
        Train(some, chosen);

        for (int i = 0; i < before.Length; i++)
        {
            var parameter = some.Parameters.All[i];
            float[] expected = chosen.Contains(parameter) ? ModelRun.Read(all.Parameters.All[i].Value) : before[i];
            Compare.SameBits(parameter.Name, expected, ModelRun.Read(parameter.Value));
            Assert.Equal(chosen.Contains(parameter), !before[i].SequenceEqual(ModelRun.Read(parameter.Value)));
        }

    }

    private static Gpt NewModel(Backend backend)
    {
        var model = new Gpt(GptConfig.Create(Architecture.Qwen3, 2, 2, 12, 8, 19), backend);
        model.Initialize(3);
        return model;
    }

    private static void Train(Gpt model, IReadOnlyList<Parameter> parameters)
    {
        using var arena = new Arena(model.Backend, "test");
        model.PlanGradients(arena);
        var optimizer = new AdamW(
            model, parameters, new AdamWSettings(0.9f, 0.95f, 1e-8f, 0.1f, 1), arena, arena.Add("squared norm", 1));
        var state = new StepState(arena);
        arena.Allocate();
        var values = new RandomValues(8);
        for (int step = 0; step < 3; step++)
        {
            foreach (var parameter in model.Parameters.All)
                model.Backend.Write(parameter.Gradient!.Value, values.Floats(parameter.Shape.Count));
            state.Send(1, step, 0, 0.01f, 0.9f, 0.95f);
            optimizer.Step(state);
        }

        Assert.Equal(2 * parameters.Count, optimizer.State.Count());
    }
}
