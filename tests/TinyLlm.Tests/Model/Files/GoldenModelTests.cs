using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>The whole model against PyTorch: logits, loss, every gradient, ten steps of AdamW.</summary>
public class GoldenModelTests
{
    public static TheoryData<string> Architectures => GoldenModel.Architectures;

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Logits_MatchPyTorch(string architecture)
    {
        using var golden = new GoldenModel(architecture);
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        using var run = new ModelRun(model, golden.B, golden.T);

        run.Forward(golden.Tokens, golden.Targets);

        golden.Close("logits", run.Logits());
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void LossAndEveryGradient_MatchPyTorch(string architecture)
    {
        using var golden = new GoldenModel(architecture);
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        using var run = new ModelRun(model, golden.B, golden.T);

        double loss = run.LossAndGradients(golden.Tokens, golden.Targets);

        golden.Close("loss", [(float)loss]);
        golden.CloseAll("grad.", model, p => p.Gradient!.Value);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TenStepsOfAdamW_MatchPyTorch(string architecture)
    {
        using var golden = new GoldenModel(architecture);
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        using var run = new ModelRun(model, golden.B, golden.T);
        var settings = new AdamWSettings(0.9f, 0.95f, 1e-4f, 0.1f, Clip: 0);
        using var arena = new Arena(backend, "optimiser");
        var optimizer = new AdamW(model, model.Parameters.All, settings, arena, arena.Add("squared gradient norm", 1));
        arena.Allocate();

        var losses = new float[10];
        for (int step = 0; step < losses.Length; step++)
        {
            losses[step] = (float)run.LossAndGradients(golden.Tokens, golden.Targets);
            run.State.Send(1, step, 0, 0.01f, settings.Beta1, settings.Beta2);
            optimizer.Step(run.State);
        }

        golden.Close("adamw.losses", losses);
        golden.CloseAll("adamw.", model, p => p.Value);
    }

    /// <summary>Documents that share rows: what PyTorch makes of each alone.</summary>
    [Theory]
    [InlineData("gpt2")]
    [InlineData("qwen3")]
    public void PackedDocuments_MatchPyTorch(string architecture)
    {
        using var golden = new GoldenModel(architecture, "finetuning");
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        var rows = golden.FinetuningInputs().GetProperty("packed").EnumerateArray().ToList();
        int b = rows.Count, t = golden.T;
        int[] tokens = new int[b * t], targets = new int[b * t], starts = new int[b * t], positions = new int[b * t];
        Array.Fill(targets, -1);
        for (int row = 0; row < b; row++)
        {
            int at = row * t, start = 0;
            foreach (var document in rows[row].EnumerateArray())
            {
                int[] ids = GoldenModel.Numbers(document.GetProperty("tokens")),
                    wanted = GoldenModel.Numbers(document.GetProperty("targets"));
                ids.CopyTo(tokens, at + start);
                wanted.CopyTo(targets, at + start);
                starts.AsSpan(at + start, t - start).Fill(start);
                start += ids.Length;
            }

            for (int i = 0; i < t; i++)
                positions[at + i] = i - starts[at + i];
        }

        int scored = targets.Count(target => target >= 0);
        float[] weights = [.. targets.Select(target => target >= 0 ? 1f / scored : 0)];
        using var arena = new Arena(backend, "packed");
        model.PlanGradients(arena);
        var activations = new Activations(arena, model.Config, b, t, training: true, packed: true);
        arena.Allocate();
        activations.SetInputs(tokens, positions);
        activations.SetStarts(starts);
        activations.SetTargets(targets);
        backend.Write(activations.TokenWeights, weights);
        model.Forward(activations);
        model.LogProbabilitiesAndBackward(activations);

        golden.Close(
            "packed.loss",
            [-ModelRun.Read(activations.LogProbabilities).Zip(weights, (log, weight) => log * weight).Sum()]);
        golden.CloseAll("packed.grad.", model, p => p.Gradient!.Value);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Save_WritesTheSameTensorsBack(string architecture)
    {
        using var golden = new GoldenModel(architecture);
        using var folder = new TemporaryFolder();
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);

        WeightsFile.Save(folder["model.safetensors"], model);

        using var before = SafetensorsReader.Open(Path.Combine(golden.Folder, "model.safetensors"));
        using var after = SafetensorsReader.Open(folder["model.safetensors"]);
        Assert.Equal("pt", after.Metadata["format"]);
        Assert.Equal(before.Tensors.Select(t => t.Name).Order(), after.Tensors.Select(t => t.Name).Order());
        foreach (var tensor in before.Tensors)
        {
            Assert.Equal(tensor.Shape, after[tensor.Name].Shape);
            float[] expected = new float[tensor.Count], actual = new float[tensor.Count];
            before.Read(tensor.Name, expected);
            after.Read(tensor.Name, actual);
            Compare.SameBits(tensor.Name, expected, actual);
        }
    }
}
