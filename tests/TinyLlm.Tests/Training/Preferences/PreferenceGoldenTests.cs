using System.Text.Json;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using TinyLlm.Training.Preferences;
using Xunit;

namespace TinyLlm.Tests.Training.Objectives;

/// <summary>
/// Comparisons against PyTorch: every kind of loss, how it changes with the answers' log-probabilities, and the
/// gradients of a model.
/// </summary>
public sealed class PreferenceGoldenTests
{
    private static readonly Dictionary<string, PreferenceLossKind> kinds = new()
    {
        ["sigmoid"] = PreferenceLossKind.Sigmoid,
        ["sigmoid_norm"] = PreferenceLossKind.SigmoidNorm,
        ["ipo"] = PreferenceLossKind.Ipo,
    };

    [Fact]
    public void LossesSlopesAndGradients_MatchPyTorch()
    {
        using var golden = new GoldenModel("qwen3", "finetuning");
        var inputs = golden.FinetuningInputs();
        var answers = new Answers(inputs.GetProperty("answers"), golden.T);
        double[] reference = [.. golden.Expected("dpo.reference").Select(v => (double)v)];
        using var backend = Backend.Create("cpu");
        using var model = golden.Load(backend);
        int b = (int)answers.Count, t = answers.Length;
        using var run = new ModelRun(model, b, t);
        var batch = new Batch(b, t);
        (long, long)[] places = [.. Enumerable.Range(0, b).Select(i => (0L, (long)i))];
        batch.Fill(answers, places);
        float[] logs = run.Forward(batch.Tokens, batch.Targets);
        golden.Close("dpo.logs", [.. Enumerable.Range(0, b).Select(row => logs.AsSpan(row * t, t).ToArray().Sum())]);

        List<float> losses = [], slopes = [];
        var settings = inputs.GetProperty("preferences").EnumerateArray()
            .Select(p =>
                new PreferenceSettings(
                    p.GetProperty("beta").GetDouble(), p.GetProperty("smoothing").GetDouble(),
                    kinds[p.GetProperty("loss").GetString()!])).ToList();
        Assert.Equal(4, settings.Count);
        var weights = new float[b * t];
        foreach (var setting in settings)
        {
            var figures = new PreferenceObjective(setting, reference).Weigh(batch, places, logs, b / 2, weights);
            losses.Add((float)(figures.Loss / (b / 2)));

            // The loss falls by a token's weight with its log-probability: all tokens of an answer have the same.
            slopes.AddRange(
                Enumerable.Range(0, b)
                .Select(row => -weights.AsSpan(row * t, t).ToArray().Where(w => w != 0).Distinct().Single()));
        }

        golden.Close("dpo.losses", losses);
        golden.Close("dpo.slopes", slopes);

        new PreferenceObjective(settings[1], reference).Weigh(batch, places, logs, b / 2, weights);
        backend.Fill(model.AllGradients, 0);
        run.Backward(weights);
        golden.CloseAll("dpo.grad.", model, p => p.Gradient!.Value);
    }

    // Answers behind their prompts; what follows an answer is not scored.
    private sealed class Answers(JsonElement rows, int length) : IExamples
    {
        private readonly (int[] Tokens,
            int[] Targets)[] rows = [.. rows.EnumerateArray()
            .Select(row =>
                (GoldenModel.Numbers(row.GetProperty("tokens")), GoldenModel.Numbers(row.GetProperty("targets"))))];

        public int Length => length;

        public long Count => rows.Length;

        public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
        {
            tokens.Clear();
            targets.Fill(-1);
            rows[index].Tokens.CopyTo(tokens);
            rows[index].Targets.CopyTo(targets);
        }
    }
}
