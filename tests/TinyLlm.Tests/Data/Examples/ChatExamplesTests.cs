using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Data;

/// <summary>Conversations as rows, each by itself or packed.</summary>
public sealed class ChatExamplesTests
{
    private const int Context = 96;

    private readonly ByteTokenizer tokenizer = new();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void BestFit_UsesEachSequenceOnce_AndFillsRows(int seed)
    {
        var random = new Random(seed);
        int[] lengths = [.. Enumerable.Range(0, 500).Select(_ => random.Next(1, 65))];
        var rows = Packing.BestFit(lengths, 64);
        Assert.Equal(Enumerable.Range(0, 500), rows.SelectMany(row => row).Order());
        Assert.All(rows, row => Assert.InRange(row.Sum(i => lengths[i]), 1, 64));
        Assert.InRange(rows.Count, (lengths.Sum() + 63) / 64, 11 * ((lengths.Sum() + 63) / 64) / 9 + 1);
        Assert.Equal(rows, Packing.BestFit(lengths, 64));
    }

    [Fact]
    public void PackedRows_HoldTheSameTokensAndTargets()
    {
        var conversations = Conversations(40);
        var alone = new ChatExamples(conversations, tokenizer, Context);
        var packed = new ChatExamples(conversations, tokenizer, Context, packed: true);
        Assert.Equal((Context, alone.Scored, 40), (packed.Length, packed.Scored, packed.Conversations));
        Assert.InRange(packed.Count, 1, 39);

        Assert.Equal(Documents(alone).Order(), Documents(packed).Order());
    }

    [Theory]
    [InlineData(Architecture.Gpt2)]
    [InlineData(Architecture.Llama)]
    [InlineData(Architecture.Qwen3)]
    public void PackedRows_GiveTheLossAndTheGradientsOfRowsAlone(Architecture architecture)
    {
        var conversations = Conversations(9);
        using var backend = Backend.Create("cpu");
        using var model = new Gpt(
            GptConfig.Create(
                architecture, 2, 4, 32, Context, tokenizer.VocabularySize, architecture == Architecture.Gpt2 ? 4 : 2),
            backend);
        model.Initialize(3);

        var (loss, gradients) = LossAndGradients(model, new ChatExamples(conversations, tokenizer, Context));
        var (packedLoss, packedGradients) =
            LossAndGradients(model, new ChatExamples(conversations, tokenizer, Context, packed: true));

        Assert.Equal(loss, packedLoss, 1e-5);
        Assert.True(gradients.Max(Math.Abs) > 1e-3);
        Compare.Close("gradients", [.. gradients.Select(g => (double)g)], packedGradients, gradients.Length, 1e-5, 3);
    }

    // A row in which documents see each other gives another loss: the test above would notice.
    [Fact]
    public void RowsThatSeeEachOther_GiveAnotherLoss()
    {
        using var backend = Backend.Create("cpu");
        using var model =
            new Gpt(GptConfig.Create(Architecture.Qwen3, 2, 4, 32, Context, tokenizer.VocabularySize, 2), backend);
        model.Initialize(3);
        var packed = new ChatExamples(Conversations(9), tokenizer, Context, packed: true);
        double apart = LossAndGradients(model, packed).Loss,
            together = LossAndGradients(model, packed, apart: false).Loss;
        Assert.True(Math.Abs(apart - together) > 1e-4, $"{apart} and {together}");
    }

    [Fact]
    public void RowsWithoutAnAnswer_AreCounted_AndNoneIsRefused()
    {
        var mute = new Conversation([new ChatMessage("user", "Hello?")]);
        var long1 = new Conversation(
            [new ChatMessage("user", new string('x', 200)), new ChatMessage(ChatTemplate.Assistant, "y")]);
        var examples = new ChatExamples([mute, .. Conversations(3), long1], tokenizer, Context, packed: true);
        Assert.Equal((2, 3), (examples.Skipped, examples.Conversations));
        UserError.Expect(
            () => new ChatExamples([mute, long1], tokenizer, Context, packed: true),
            "no row with an assistant's answer", "2 rows");
    }

    private static List<Conversation> Conversations(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Conversation(
    [
        new ChatMessage("user", $"{i}+{i * 7 % 5}?"),
            new ChatMessage(ChatTemplate.Assistant, new string('a', i % 4) + $"{i + i * 7 % 5}"),
    ]))];

    // Tokens and targets of each document, padding left out.
    private static List<string> Documents(ChatExamples examples)
    {
        var documents = new List<string>();
        int[] tokens = new int[examples.Length], targets = new int[examples.Length], starts = new int[examples.Length];
        for (int row = 0; row < examples.Count; row++)
        {
            examples.Read(0, row, tokens, targets);
            examples.ReadStarts(0, row, starts);
            foreach (var group in Enumerable.Range(0, examples.Length).GroupBy(i => starts[i])
                .Where(g => g.Any(i => targets[i] >= 0)))
            {
                int end = group.Last(i => targets[i] >= 0) + 1;
                Assert.Equal(group.Key, group.First());
                documents.Add(
                    $"{string.Join(' ', tokens[group.Key..end])} -> {string.Join(' ', targets[group.Key..end])}");
            }
        }

        return documents;
    }

    private static (double Loss, float[] Gradients) LossAndGradients(
        Gpt model, ChatExamples examples, bool apart = true)
    {
        int b = (int)examples.Count, t = examples.Length;
        using var arena = new Arena(model.Backend, "test");
        model.PlanGradients(arena);
        bool packed = apart && examples.IsPacked;
        var activations = new Activations(arena, model.Config, b, t, training: true, packed: packed);
        arena.Allocate();
        var batch = new Batch(b, t, packed);
        batch.Fill(examples, [.. Enumerable.Range(0, b).Select(i => (0L, (long)i))]);
        batch.SendTo(activations, new int[b * t]);
        model.Backend.Write(
            activations.TokenWeights, [.. batch.Targets.Select(target => target >= 0 ? 1f / batch.Scored : 0)]);
        model.Backend.Fill(model.AllGradients, 0);
        model.Forward(activations);
        model.LogProbabilitiesAndBackward(activations);
        return (-ModelRun.Read(activations.LogProbabilities).Zip(batch.Targets).Where(p => p.Second >= 0)
            .Average(p => (double)p.First), ModelRun.Read(model.AllGradients));
    }
}
