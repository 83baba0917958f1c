using TinyLlm.Kernels;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training.Optimizers;

/// <summary>
/// Steps of Muon on a whole model against the same in PyTorch: matrices in the layouts of both files, AdamW for the
/// rest, clipping.
/// </summary>
public sealed class MuonGoldenTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("qwen3")]
    public void FiveSteps_MatchPyTorch(string architecture)
    {
        using var golden = new GoldenModel(architecture, "finetuning");
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        using var run = new ModelRun(model, golden.B, golden.T);
        const float rate = 0.01f;
        var others = new AdamWSettings(0.9f, 0.95f, 1e-4f, 0.1f, Clip: 0.5f);
        using var arena = new Arena(backend, "optimiser");
        var optimizer = new Muon(
            model, model.Parameters.All, new MuonSettings(0.02), factor: 0.02f / rate, others, arena,
            arena.Add("squared gradient norm", 1));
        arena.Allocate();

        var losses = new float[5];
        for (int step = 0; step < losses.Length; step++)
        {
            losses[step] = (float)run.LossAndGradients(golden.Tokens, golden.Targets);
            run.State.Send(1, step, 0, rate, others.Beta1, others.Beta2);
            optimizer.Step(run.State);
        }

        golden.Close("muon.losses", losses);
        golden.CloseAll("muon.", model, p => p.Value);
    }
}
