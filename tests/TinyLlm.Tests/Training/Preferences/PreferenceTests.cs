using System.IO.Compression;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Preferences;
using Xunit;

namespace TinyLlm.Tests.Training.Objectives;

/// <summary>
/// Learning from comparisons: the loss and its slopes, the gradient through a model, and a loop that learns.
/// </summary>
public sealed class PreferenceTests : IDisposable
{
    private const int Context = 48;

    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly ByteTokenizer tokenizer = new();

    public static TheoryData<PreferenceLossKind, double, double> Losses => new()
    {
        { PreferenceLossKind.Sigmoid, 0.1, 0 }, { PreferenceLossKind.Sigmoid, 0.7, 0.2 },
            { PreferenceLossKind.SigmoidNorm, 2, 0 }, { PreferenceLossKind.SigmoidNorm, 0.5, 0.1 },
            { PreferenceLossKind.Ipo, 0.3, 0 },
    };

    [Theory]
    [MemberData(nameof(Losses))]
    public void Slopes_AreThoseOfTheLoss(PreferenceLossKind kind, double beta, double smoothing)
    {
        var settings = new PreferenceSettings(beta, smoothing, kind);
        foreach (var (c, r) in ((double, double)[])[(-5, -9), (-30, -3), (-8, -8), (-1, -90)])
        {
            PreferenceLoss At(double chosen, double rejected) =>
                PreferenceLoss.Of(settings, new AnswerLogs(chosen, -7, 4), new AnswerLogs(rejected, -6.5, 9));
            const double Step = 1e-5;
            var loss = At(c, r);
            Assert.Equal((At(c + Step, r).Loss - At(c - Step, r).Loss) / (2 * Step), loss.ChosenSlope, 1e-6);
            Assert.Equal((At(c, r + Step).Loss - At(c, r - Step).Loss) / (2 * Step), loss.RejectedSlope, 1e-6);
            Assert.True(
                kind == PreferenceLossKind.Ipo
                || (smoothing > 0 || loss is { ChosenSlope: <= 0, RejectedSlope: >= 0 }));
        }
    }

    /// <summary>By hand, for chosen -5 of 4 tokens with a reference of -7, and rejected -9 of 9 with -6.5.</summary>
    [Fact]
    public void Losses_AreThoseOfThePapers()
    {
        AnswerLogs chosen = new(-5, -7, 4), rejected = new(-9, -6.5, 9);
        double sum = 2 + 2.5, mean = 2 / 4.0 + 2.5 / 9;
        var sigmoid = PreferenceLoss.Of(new PreferenceSettings(0.1, 0, PreferenceLossKind.Sigmoid), chosen, rejected);
        Assert.Equal(Math.Log(1 + Math.Exp(-0.1 * sum)), sigmoid.Loss, 1e-12);
        Assert.Equal(0.1 * sum, sigmoid.Margin, 1e-12);
        Assert.Equal(
            0.8 * Math.Log(1 + Math.Exp(-0.1 * sum)) + 0.2 * Math.Log(1 + Math.Exp(0.1 * sum)),
            PreferenceLoss.Of(new PreferenceSettings(0.1, 0.2, PreferenceLossKind.Sigmoid), chosen, rejected).Loss,
            1e-12);
        Assert.Equal(
            Math.Log(1 + Math.Exp(-2 * mean)),
            PreferenceLoss.Of(new PreferenceSettings(2, 0, PreferenceLossKind.SigmoidNorm), chosen, rejected).Loss,
            1e-12);
        Assert.Equal(
            Math.Pow(mean - 1 / 0.6, 2),
            PreferenceLoss.Of(new PreferenceSettings(0.3, 0, PreferenceLossKind.Ipo), chosen, rejected).Loss, 1e-12);

        // Far apart: finite, and as steep as it can be.
        var far = PreferenceLoss.Of(
            new PreferenceSettings(1, 0, PreferenceLossKind.Sigmoid), new AnswerLogs(-5000, 0, 4),
            new AnswerLogs(0, -5000, 9));
        Assert.Equal((10000, -1), (far.Loss, far.ChosenSlope));
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void TheGradientOfAModel_IsThatOfTheMeanLoss(PreferenceLossKind kind, double beta, double smoothing)
    {
        var settings = new PreferenceSettings(beta, smoothing, kind);
        var examples = new PreferenceExamples(Pairs(3), tokenizer, Context);
        using var model = NewModel(2);
        double[] reference;
        using (var other = NewModel(9))
            reference = PreferenceObjective.LogProbabilities(other, examples, 4, TestContext.Current.CancellationToken);
        var objective = new PreferenceObjective(settings, reference);
        int b = (int)examples.Count, t = examples.Length;
        using var arena = new Arena(backend, "test");
        model.PlanGradients(arena);
        var activations = new Activations(arena, model.Config, b, t, training: true);
        arena.Allocate();
        var batch = new Batch(b, t);
        (long, long)[] places = [.. Enumerable.Range(0, b).Select(i => (0L, (long)i))];
        batch.Fill(examples, places);
        batch.SendTo(activations, new int[b * t]);
        var weights = new float[b * t];

        PreferenceFigures Forward()
        {
            model.Forward(activations);
            model.LogProbabilities(activations);
            return objective.Weigh(batch, places, ModelRun.Read(activations.LogProbabilities), examples.Pairs, weights);
        }

        Forward();
        backend.Write(activations.TokenWeights, weights);
        backend.Fill(model.AllGradients, 0);
        model.Backward(activations);
        DirectionalSlope.Check(
            model.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix), () =>
                Forward().Loss / examples.Pairs, step: 5e-4f);
    }

    /// <summary>
    /// The model is its own reference at first: the loss is log 2. It then learns which answers are the better,
    /// whatever the micro-batch.
    /// </summary>
    [Fact]
    public void ALoop_LearnsWhichAnswerIsBetter()
    {
        var examples = new PreferenceExamples(Pairs(8), tokenizer, Context);
        List<(double Loss, double Margin, double Right)> Train(int microBatch, out float[] weights)
        {
            using var model = NewModel(2);
            var objective = new PreferenceObjective(
                new PreferenceSettings(0.5, 0, PreferenceLossKind.Sigmoid),
                PreferenceObjective.LogProbabilities(model, examples, 16, default));
            var settings = new TrainerSettings
            {
                BatchSize = 8,
                Accumulate = 2,
                MicroBatch = microBatch,
                Schedule = new Schedule(ScheduleKind.Constant, 2e-3, 0, 0, 30),
                LogEvery = 1
            };
            using var trainer =
                new Trainer(model, examples, new PreferenceEvaluator(examples, objective), settings, objective);
            var seen = new Seen();
            Assert.Equal(
                TrainerResult.Finished, trainer.Run(new TrainerState(), seen, TestContext.Current.CancellationToken));
            weights = ModelRun.Read(model.ValueRange(model.Parameters.All[0], model.Parameters.All[^1]));
            return seen.Steps;
        }

        var steps = Train(8, out float[] whole);
        Assert.Equal(Math.Log(2), steps[0].Loss, 1e-6);
        Assert.Equal(0, steps[0].Margin, 1e-5);
        Assert.True(steps[^1] is { Loss: < 0.1, Margin: > 1, Right: 1 }, $"{steps[^1]}");
        var parts = Train(2, out float[] small);
        Assert.Equal(steps[^1].Loss, parts[^1].Loss, 1e-3);
        Compare.Close("weights", [.. whole.Select(v => (double)v)], small, whole.Length, 1e-3, 1);
        UserError.Expect(() => Train(1, out _), "--micro-batch 1", "multiple of 2");
    }

    [Fact]
    public void Examples_ScoreTheAnswers_AndKeepPairsTogether()
    {
        PreferencePair far = new([new ChatMessage("user", new string('x', 100))], "a", "b");
        var examples = new PreferenceExamples([.. Pairs(5), far], tokenizer, Context);
        Assert.Equal((5, 1, 10L), (examples.Pairs, examples.Skipped, examples.Count));
        int[] tokens = new int[examples.Length], targets = new int[examples.Length];
        examples.Read(0, 3, tokens, targets);
        Assert.Equal(
            "no1", System.Text.Encoding.UTF8.GetString(
                tokenizer.Decode([.. targets.Where(id => id >= 0).SkipLast(1)])));
        Assert.Equal(tokenizer.TurnEnd, targets.Last(id => id >= 0));

        var order = examples.Order(3);
        var places = Enumerable.Range(0, 20).Select(i => order.At(i)).ToList();
        Assert.All(Enumerable.Range(0, 10),
            i => Assert.Equal((places[2 * i].Epoch, places[2 * i].Index + 1), places[2 * i + 1]));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => (long)i), places.Take(10).Select(p => p.Index).Order());
        UserError.Expect(() => new PreferenceExamples([far], tokenizer, Context), "No comparison fits", "1 are longer");
    }

    [Fact]
    public void Rows_HaveTheFormsOfTrl()
    {
        using var folder = new TemporaryFolder();
        folder.Write("good.jsonl", """
            {"prompt": "Hi?", "chosen": "Ho.", "rejected": "Hm."}
            {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], "chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": "b"}]}

            {"chosen": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "rejected": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "b"}]}
            {"prompt": "Hi?", "completion": "Ho.", "label": true}
            """);
        var (pairs, unpaired) = PreferenceRows.Read(folder["good.jsonl"]);
        Assert.Equal((3, 1), (pairs.Count, unpaired));
        Assert.Equal([("Ho.", "Hm."), ("a", "b"), ("a", "b")], pairs.Select(p => (p.Chosen, p.Rejected)));
        Assert.Equal([1, 2, 1], pairs.Select(p => p.Prompt.Count));
        using (var zipped = new GZipStream(File.Create(folder["good.jsonl.gz"]), CompressionLevel.Fastest))
            zipped.Write(File.ReadAllBytes(folder["good.jsonl"]));
        Assert.Equal(
            pairs.Select(p => p.Chosen), PreferenceRows.Read(folder["good.jsonl.gz"]).Pairs.Select(p => p.Chosen));
        foreach (var (line, part) in ((string, string)[])
            [("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"b\"}", "chosen and rejected are equal"),
                ("{\"prompt\": \"a\", \"chosen\": \"b\"}", "expected {\"prompt\""), ("3", "expected a JSON object"),
                ("{", "no valid JSON"),
            ("{\"prompt\": 3, \"chosen\": \"b\", \"rejected\": \"c\"}", "\"prompt\" is a number"),
                ("{\"prompt\": [], \"chosen\": \"b\", \"rejected\": \"c\"}", "\"prompt\" is empty"),
            ("{\"prompt\": \"a\", \"chosen\": [{\"role\": \"user\", \"content\": \"u\"}], \"rejected\": \"c\"}",
                "not one assistant's message"),
            ("{\"chosen\": [{\"role\": \"user\", \"content\": \"u\"}, {\"role\": \"assistant\", \"content\": \"a\"}], "
            + "\"rejected\": [{\"role\": \"user\", \"content\": \"v\"}, {\"role\": \"assistant\", \"content\": "
            + "\"b\"}]}", "differ in more than their last turn"),
            ("{\"prompt\": \"a\", \"completion\": \"b\", \"label\": false}", "has no comparisons")])
        {
            folder.Write("bad.jsonl", line + "\n");
            UserError.Expect(() => PreferenceRows.Read(folder["bad.jsonl"]), "bad.jsonl", part);
        }
    }

    public void Dispose() => backend.Dispose();

    private static List<PreferencePair> Pairs(int count) =>
        [.. Enumerable.Range(0, count)
            .Select(i =>
                new PreferencePair([new ChatMessage("user", $"{i}?")], "yes" + new string('!', i % 3), $"no{i}"))];

    private Gpt NewModel(ulong seed)
    {
        var model = new Gpt(GptConfig.Create(Architecture.Qwen3, 2, 2, 32, Context, tokenizer.VocabularySize), backend);
        model.Initialize(seed);
        return model;
    }

    private sealed class Seen : ITrainerEvents
    {
        public List<(double Loss, double Margin, double Right)> Steps { get; } = [];

        public void Stepped(int step, double loss, double tokensPerSecond)
        {
        }

        public void Log(StepReport report)
        {
            var p = report.Preferences!.Value;
            Assert.Equal(8, p.Pairs);
            Steps.Add((report.Loss, p.Margin / p.Pairs, (double)p.Right / p.Pairs));
        }

        public void Best(TrainerState state)
        {
        }

        public void Sample(int step)
        {
        }

        public void Checkpoint(TrainerState state, bool byTime)
        {
        }
    }
}
