using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using TinyLlm.Training.Data;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>An evaluation measures the same tokens, however many rows go through the model at once.</summary>
public sealed class EvaluatorTests : IDisposable
{
    private const int T = 8;

    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly ByteTokenizer tokenizer = new();
    private readonly Gpt model;

    public EvaluatorTests()
    {
        model = new Gpt(GptConfig.Create(Architecture.Qwen3, 1, 2, 16, T, tokenizer.VocabularySize), backend);
        model.Initialize(2);
    }

    // 83 targets in 11 windows, the last of which has 3: batches of 4 leave one that is not full.
    [Theory]
    [InlineData(0, 11, 83)]
    [InlineData(1, 4, 32)]
    [InlineData(2, 8, 64)]
    [InlineData(3, 11, 83)]
    [InlineData(int.MaxValue, 11, 83)]
    public void BatchesOfFour_AreMeasured_WhateverTheRowsAtOnce(int batches, int examples, long tokens)
    {
        var expected = Evaluate(4, batches, out var places);

        Assert.Equal(Enumerable.Range(0, examples).Select(i => (0L, (long)i)), places);
        Assert.Equal(tokens, expected.Tokens);
        Assert.InRange(expected.Loss, 4, 7);
        foreach (int rows in new[] { 1, 2, 3, 16 })
        {
            var actual = Evaluate(rows, batches, out var read);
            Assert.Equal(places, read);
            Assert.Equal(tokens, actual.Tokens);
            Assert.Equal(expected.Loss, actual.Loss, 1e-6);
            Assert.Equal(expected.BitsPerByte, actual.BitsPerByte, 1e-6);
        }
    }

    [Fact]
    public void AskedToStop_ItMeasuresNothing()
    {
        var examples = new WatchedExamples(new Windows(new RandomValues(6).Integers(84, 0, 256), T, keepRest: true, "validation"));
        using var arena = new Arena(backend, "test");
        var activations = new Activations(arena, model.Config, 4, T, training: false);
        arena.Allocate();
        Assert.Null(new Evaluator(examples, tokenizer, 4).Evaluate(model, activations, new CancellationToken(canceled: true)));
        Assert.Empty(examples.Places);
    }

    public void Dispose()
    {
        model.Dispose();
        backend.Dispose();
    }

    private Evaluation Evaluate(int rows, int batches, out List<(long, long)> places)
    {
        int[] stream = new RandomValues(6).Integers(84, 0, 256);
        var examples = new WatchedExamples(new Windows(stream, T, keepRest: true, "validation"));
        using var arena = new Arena(backend, "test");
        var activations = new Activations(arena, model.Config, rows, T, training: false);
        arena.Allocate();
        var evaluator = new Evaluator(examples, tokenizer, 4, batches);
        var evaluation = Assert.IsType<Evaluation>(evaluator.Evaluate(model, activations));
        places = [.. examples.Places];

        // Each example by itself makes up all of them together.
        var each = new ExampleScore[evaluator.Count];
        Assert.Equal(evaluation, evaluator.Evaluate(model, activations, each, CancellationToken.None));
        Assert.All(each, (score, i) => Assert.Equal(i < 10 ? T : 3, score.Tokens));
        Assert.Equal(evaluation.Tokens, each.Sum(score => score.Tokens));
        Assert.Equal(evaluation.Loss, each.Sum(score => score.Loss) / evaluation.Tokens, 1e-9);
        Assert.Equal(evaluation.BitsPerByte, each.Sum(score => score.Loss) / Math.Log(2) / each.Sum(score => score.Bytes), 1e-9);
        return evaluation;
    }
}
