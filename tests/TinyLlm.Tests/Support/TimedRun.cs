using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Preferences;
using TinyLlm.Training.Rewards;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// A small model with dropout in training by one of the stages. Each step takes a minute, and a checkpoint ten.
/// </summary>
internal sealed class TimedRun : ITrainerEvents, IDisposable
{
    private const int Context = 40;

    private readonly FakeClock clock = new();
    private readonly CharTokenizer tokenizer = CharTokenizer.Train("ab?!"u8);
    private readonly Backend backend;
    private readonly Gpt model;
    private readonly Gpt? reference;
    private readonly Rollouts? rollouts;
    private readonly Trainer trainer;
    private TrainerState state = new();

    public TimedRun(Backend backend, string stage, TrainerSettings settings)
    {
        this.backend = backend;
        model = NewModel(3, dropout: 0.2f);
        List<ChatMessage> question = [new("user", "a?")];
        Conversation[] chats =
        [
            new([.. question, new(ChatTemplate.Assistant, "b")]),
            new([new("user", "b?"), new(ChatTemplate.Assistant, "ab!")]),
        ];
        IExamples examples;
        IObjective? objective = null;
        switch (stage)
        {
            case "pretrain":
                int[] stream = [.. Enumerable.Range(0, 400).Select(i => i * i % 7 % tokenizer.VocabularySize)];
                examples = new Windows(stream, 6, keepRest: false, "training");
                break;
            case "sft":
                examples = new ChatExamples(chats, tokenizer, Context);
                break;
            case "dpo":
                reference = NewModel(4, 0);
                var pairs = new PreferenceExamples(
                    [new(question, "b!", "a"), new([new("user", "b?")], "b", "aab")], tokenizer, Context);
                examples = pairs;
                double[] logs = PreferenceObjective.LogProbabilities(reference, pairs, 4, CancellationToken.None);
                objective = new PreferenceObjective(new PreferenceSettings(0.5, 0.1, PreferenceLossKind.Sigmoid), logs);
                break;
            default:
                var sampling =
                    new RolloutSettings(Group: 2, MaxTokens: 5, Temperature: 1, settings.BatchSize, settings.Seed);
                rollouts = new Rollouts(
                    model, tokenizer, chats, new Lengths(), sampling, NewModel(4, 0), CancellationToken.None);
                examples = rollouts;
                objective = new RewardObjective(rollouts, kl: 0.1);
                break;
        }

        trainer = new Trainer(model, examples, null, settings, objective, clock);
        Begun = Saved();
    }

    /// <summary>Weights and optimiser state before the first step, and at each checkpoint.</summary>
    public float[] Begun { get; }

    public SortedDictionary<int, float[]> Checkpoints { get; } = [];

    public Dictionary<int, TrainerState> States { get; } = [];

    /// <summary>What was logged of each step that does not depend on the clock.</summary>
    public List<string> Told { get; } = [];

    /// <summary>A log line for each step; no checkpoint before the end.</summary>
    public static TrainerSettings Settings(int steps) => new()
    {
        BatchSize = 4,
        MicroBatch = 2,
        Schedule = new Schedule(ScheduleKind.Cosine, 3e-3, 3e-4, 1, steps),
        Seed = 5,
        LogEvery = 1,
    };

    public TrainerResult Train() => trainer.Run(state, this, CancellationToken.None);

    public void GoOnFrom(float[] saved, TrainerState before)
    {
        int first = 0;
        foreach (var tensor in All())
        {
            int count = (int)tensor.Count;
            backend.Write(tensor, saved.AsSpan(first, count));
            first += count;
        }

        state = before with { };
    }

    void ITrainerEvents.Stepped(int step, double loss, double tokensPerSecond) => clock.Advance(1);

    void ITrainerEvents.Log(StepReport report) =>
        Told.Add($"{report.Step} {report.Tokens} {report.Loss:R} {report.GradientNorm:R} {report.LearningRate:R} "
        + $"{report.Rewards}");

    void ITrainerEvents.Best(TrainerState state) => Assert.Fail("Nothing was measured.");

    void ITrainerEvents.Sample(int step) => Assert.Fail("No sample was asked for.");

    void ITrainerEvents.Checkpoint(TrainerState state, bool byTime)
    {
        clock.Advance(10);
        Checkpoints.Add(state.Step, Saved());
        States.Add(state.Step, state with { });
    }

    public void Dispose()
    {
        trainer.Dispose();
        rollouts?.Dispose();
        reference?.Dispose();
        model.Dispose();
    }

    private IEnumerable<Tensor> All() =>
        model.Parameters.All.Select(p => p.Value).Concat(trainer.Optimizer.State.Select(s => s.Tensor));

    private float[] Saved() => [.. All().SelectMany(ModelRun.Read)];

    private Gpt NewModel(ulong seed, float dropout)
    {
        var gpt = new Gpt(
            GptConfig.Create(Architecture.Qwen3, 1, 2, 8, Context, tokenizer.VocabularySize, dropout: dropout),
            backend);
        gpt.Initialize(seed);
        return gpt;
    }

    private sealed class Lengths : IReward
    {
        public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
            [.. attempts.Select(a => (double)a.Completion.Length)];
    }
}
