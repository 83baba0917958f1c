using System.Security.Cryptography;
using System.Text;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Training.Rewards;

/// <summary>How a model answers prompts to learn from its answers.</summary>
/// <param name="Group">Answers to each prompt, 2 to 16.</param>
/// <param name="MaxTokens">The most tokens of an answer; one that has not ended then is left out.</param>
/// <param name="Temperature">Of sampling.</param>
/// <param name="Rows">Answers of a step, a multiple of the group.</param>
/// <param name="Seed">Of sampling and of the prompts' order.</param>
public sealed record RolloutSettings(int Group, int MaxTokens, float Temperature, int Rows, ulong Seed);

/// <summary>An answer of this step.</summary>
/// <param name="Ids">Prompt and answer.</param>
/// <param name="Prompt">Tokens of the prompt.</param>
/// <param name="Advantage">
/// Its reward beside those of its group that came to an end, in standard deviations; 0 where it is not trained.
/// </param>
/// <param name="Figures">What it counts.</param>
public sealed record Rollout(int[] Ids, int Prompt, double Advantage, RewardFigures Figures)
{
    /// <summary>
    /// Whether its tokens are part of the loss: it came to an end, and not all of its group earned the same. One whose
    /// reward is just the mean of its group is, although its advantage is 0.
    /// </summary>
    public bool IsTrained => Figures is { Truncated: 0, Flat: 0 };

    /// <summary>(T): the reference's log-probability of each target, where it is asked for.</summary>
    public float[]? Reference { get; internal set; }
}

/// <summary>
/// A model's own answers as examples: each step answers some prompts several times with the weights as they are, a
/// reward scores the answers, and what an answer earned beside its group is its advantage. The same seed and weights
/// give the same answers, so that a resume goes on as if there had been none.
/// </summary>
public sealed class Rollouts : IStepExamples, IDisposable
{
    private const double SmallestDeviation = 1e-4;

    private readonly Gpt model;
    private readonly Tokenizer tokenizer;
    private readonly RolloutSettings settings;
    private readonly IReward reward;
    private readonly Gpt? reference;
    private readonly CancellationToken stop;
    private readonly List<(int[] Ids, string Prompt, string Answer)> prompts = [];
    private readonly ExampleOrder promptOrder;
    private readonly Generator generator;
    private readonly Rollout[] rows;
    private int prepared = -1;

    /// <summary>
    /// Takes the prompts: all turns of a conversation before its last answer. Those that leave no room for an answer
    /// are left out and counted.
    /// </summary>
    /// <param name="model">Who answers, and learns.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="conversations">Where the prompts and the right answers come from.</param>
    /// <param name="reward">Scores answers.</param>
    /// <param name="settings">How answers are sampled.</param>
    /// <param name="reference">Whose log-probabilities are kept with each answer; none where the distance to it does
    /// not count.</param>
    /// <param name="stop">Stops a reward that is being worked out.</param>
    /// <exception cref="TinyLlmException">No prompt fits, or the memory is not there.</exception>
    public Rollouts(
        Gpt model, Tokenizer tokenizer, IReadOnlyList<Conversation> conversations, IReward reward,
        RolloutSettings settings, Gpt? reference, CancellationToken stop)
    {
        (this.model, this.tokenizer, this.reward, this.settings, this.reference, this.stop) =
            (model, tokenizer, reward, settings, reference, stop);
        foreach (var conversation in conversations)
        {
            int last = conversation.LastAnswer;
            int[] ids = last > 0 ? RowPlace.At(conversation.Place, () =>
                ChatTemplate.EncodePrompt(tokenizer, [.. conversation.Messages.Take(last)])) : [];
            if (last < 1 || ids.Length + settings.MaxTokens > model.Config.Context)
                Skipped++;
            else
                prompts.Add((ids, conversation.Messages[last - 1].Content, conversation.Messages[last].Content));
        }

        if (prompts.Count == 0)
        {
            throw new TinyLlmException($"No prompt leaves room for --max-tokens {settings.MaxTokens} in the model's "
                + $"context of {model.Config.Context} tokens ({Skipped:N0} rows); expected shorter prompts, or a "
                + "smaller --max-tokens.");
        }

        int longest = prompts.Max(p => p.Ids.Length) + settings.MaxTokens - 1;
        Length = RowLength.For(longest, model.Config.Context);
        promptOrder = new ExampleOrder(prompts.Count, settings.Seed);
        generator = new Generator(model, settings.Group, Length + 1);
        rows = new Rollout[settings.Rows];
    }

    /// <summary>How answers are sampled.</summary>
    public RolloutSettings Settings => settings;

    /// <summary>Prompts that do not fit, or rows without an answer.</summary>
    public int Skipped { get; }

    /// <summary>Prompts.</summary>
    public int Prompts => prompts.Count;

    /// <summary>
    /// Tokens of this step's trained answers (<see cref="Rollout.IsTrained"/>), over which its loss is a mean.
    /// </summary>
    public long TrainedTokens { get; private set; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public long Count => settings.Rows;

    /// <summary>The answers to one prompt.</summary>
    public int Together => settings.Group;

    /// <summary>An answer of this step.</summary>
    public Rollout this[long index] => rows[index];

    /// <inheritdoc/>
    public void Prepare(int step)
    {
        if (prepared == step)
            return;
        int perStep = settings.Rows / settings.Group;
        var answers = new List<(int[] Ids, int Prompt, bool Ended)>();
        var attempts = new List<Attempt>();
        for (int i = 0; i < perStep; i++)
        {
            long position = (long)step * perStep + i;
            var (ids, prompt, answer) = prompts[(int)promptOrder.At(position).Index];
            foreach (var (tokens, ended) in Sample(ids, position))
            {
                answers.Add(([.. ids, .. tokens], ids.Length, ended));
                attempts.Add(
                    new Attempt(
                        prompt, answer,
                        Encoding.UTF8.GetString(tokenizer.Decode([.. tokens.Where(tokenizer.IsText)]))));
            }
        }

        // Only what came to an end is scored.
        var scored = Enumerable.Range(0, answers.Count).Where(i => answers[i].Ended).ToList();
        double[] scores = scored.Count > 0 ? reward.Score([.. scored.Select(i => attempts[i])], stop) : [];
        var scoreOf = scored.Zip(scores).ToDictionary(pair => pair.First, pair => pair.Second);
        for (int first = 0; first < rows.Length; first += settings.Group)
        {
            double[] group =
                [.. Enumerable.Range(first, settings.Group).Where(scoreOf.ContainsKey).Select(i => scoreOf[i])];
            double mean = group.Length > 0 ? group.Average()
                : 0, deviation = group.Length > 0 ? Math.Sqrt(group.Average(s => (s - mean) * (s - mean))) : 0;
            bool flat = deviation < SmallestDeviation;
            for (int i = first; i < first + settings.Group; i++)
            {
                bool ended = scoreOf.TryGetValue(i, out double score);
                rows[i] = new Rollout(
                    answers[i].Ids, answers[i].Prompt, ended && !flat ? (score - mean) / deviation
                    : 0, new RewardFigures(1, score, ended ? 0 : 1, flat ? 1 : 0));
            }
        }

        TrainedTokens = rows.Where(r => r.IsTrained).Sum(r => (long)r.Ids.Length - r.Prompt);
        if (reference is not null)
            AddReference(reference);
        prepared = step;
    }

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        var row = rows[index];
        tokens.Clear();
        targets.Fill(-1);
        for (int i = 0; i < row.Ids.Length - 1; i++)
        {
            tokens[i] = row.Ids[i];
            if (row.IsTrained && i + 1 >= row.Prompt)
                targets[i] = row.Ids[i + 1];
        }
    }

    /// <inheritdoc/>
    public IExampleOrder Order(ulong seed) => new InTurn(settings.Rows);

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash)
    {
        foreach (var (ids, _, answer) in prompts)
        {
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(ids));
            hash.AppendData(Encoding.UTF8.GetBytes(answer));
        }
    }

    /// <summary>Greedy answers to the first prompts, scored: what the model has learned.</summary>
    public RewardFigures Measure(int count, CancellationToken stop)
    {
        RewardFigures figures = default;
        var attempts = new List<Attempt>();
        foreach (var (ids, prompt, answer) in prompts.Take(count))
        {
            stop.ThrowIfCancellationRequested();
            var (tokens, ended) = Generate(ids, [SamplerOf(new SamplerSettings { Temperature = 0 }, 0, 0)])[0];
            figures += new RewardFigures(1, 0, ended ? 0 : 1, 0);
            if (ended)
            {
                attempts.Add(
                    new Attempt(
                        prompt, answer,
                        Encoding.UTF8.GetString(tokenizer.Decode([.. tokens.Where(tokenizer.IsText)]))));
            }
        }

        return attempts.Count > 0 ? figures with { Reward = reward.Score(attempts, stop).Sum() } : figures;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        generator.Dispose();
        reference?.Dispose();
    }

    private List<(List<int> Tokens, bool Ended)> Sample(int[] prompt, long position)
    {
        var sampling = new SamplerSettings { Temperature = settings.Temperature };
        // Of its own for each prompt of each step.
        ulong seed = settings.Seed ^ ((ulong)position + 1) * 0x9E3779B97F4A7C15;
        return Generate(
            prompt, [.. Enumerable.Range(0, settings.Group).Select(i => SamplerOf(sampling, seed, (uint)i))]);
    }

    // The model may have more rows than the tokenizer has tokens: one of those ends an answer, as everywhere.
    private Sampler SamplerOf(SamplerSettings sampling, ulong seed, uint stream) =>
        new(sampling, seed, model.Config.VocabularySize, stream);

    private List<(List<int> Tokens, bool Ended)> Generate(int[] prompt, Sampler[] samplers)
    {
        var tokens = samplers.Select(_ => new List<int>()).ToArray();
        var ended = new bool[samplers.Length];
        generator.Generate(prompt, settings.MaxTokens, samplers, (sample, token) =>
        {
            tokens[sample].Add(token);
            ended[sample] = tokenizer.EndsText(token);
            return !ended[sample];
        }, CancellationToken.None);
        return [.. tokens.Zip(ended)];
    }

    private void AddReference(Gpt reference)
    {
        const int B = 8;
        using var arena = new Arena(reference.Backend, "reference");
        var activations = new Activations(arena, reference.Config, B, Length, training: false);
        arena.Allocate();
        new ForwardPass(this, Count).Run(reference, activations, (first, batch, _, logs) =>
        {
            for (int row = 0; row < batch.B && first + row < rows.Length; row++)
                rows[first + row].Reference = [.. logs.Slice(row * Length, Length)];
        }, CancellationToken.None);
    }

    // A step has its rows, and each of them once.
    private sealed class InTurn(int rows) : IExampleOrder
    {
        public (long Epoch, long Index) At(long position) => (position / rows, position % rows);
    }
}
