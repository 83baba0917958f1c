using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>The whole model against PyTorch: logits, loss, every gradient, ten steps of AdamW.</summary>
public class GoldenModelTests
{
    private const double Tolerance = 1e-4;

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

        Close("logits", golden.Expected("logits"), run.Logits());
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

        Close("loss", golden.Expected("loss"), [(float)loss]);
        foreach (var (name, gradient) in ModelRun.InFileLayout(model, p => p.Gradient!.Value))
            Close($"grad.{name}", WithoutKeyBias(name, golden.Expected($"grad.{name}")), WithoutKeyBias(name, gradient));
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

        Close("losses", golden.Expected("adamw.losses"), losses);
        foreach (var (name, value) in ModelRun.InFileLayout(model, p => p.Value))
            Close($"adamw.{name}", WithoutKeyBias(name, golden.Expected($"adamw.{name}")), WithoutKeyBias(name, value));
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

    // A key's bias adds the same to all scores of a query, which softmax ignores: its gradient is zero but for rounding.
    private static float[] WithoutKeyBias(string name, float[] values) =>
        name.EndsWith("c_attn.bias", StringComparison.Ordinal) ? [.. values[..(values.Length / 3)], .. values[(2 * values.Length / 3)..]] : values;

    private static void Close(string name, float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = Math.Sqrt(expected.Zip(actual, (a, b) => ((double)a - b) * ((double)a - b)).Sum());
        double norm = Math.Sqrt(expected.Sum(a => (double)a * a));
        if (!(difference <= Tolerance * norm))
            Assert.Fail($"{name}: ||expected - actual|| / ||expected|| is {difference / norm:E2}; at most {Tolerance:E0} is allowed.");
    }
}
