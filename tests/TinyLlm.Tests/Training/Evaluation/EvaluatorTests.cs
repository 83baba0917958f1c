using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
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

    /// <summary>
    /// A word that the vocabulary has not is predicted as unknown, which says nothing of its bytes: there is no figure
    /// for them.
    /// </summary>
    [Fact]
    public void BitsPerByte_AreNotToldOfUnknownWords()
    {
        var words = WordTokenizer.Train(["the cat sat on the mat"u8.ToArray()], 100);
        using var wordModel = new Gpt(GptConfig.Create(Architecture.Qwen3, 1, 2, 16, T, words.VocabularySize), backend);
        wordModel.Initialize(2);
        var known = Evaluate("the cat sat on the mat"u8);
        Assert.Equal((6, 0L), (known.Tokens, known.Unknown));
        Assert.Equal(known.Loss * 6 / Math.Log(2) / "the cat sat on the mat".Length, known.BitsPerByte, 1e-9);

        var some = Evaluate("the dog sat on a mat"u8);
        Assert.Equal((6, 2L), (some.Tokens, some.Unknown));
        Assert.True(double.IsNaN(some.BitsPerByte) && double.IsFinite(some.Loss), $"{some}");

        // Where the unknown word is only read, the figure stands.
        Assert.Equal(0, Evaluate("dog sat on the mat"u8, skip: 1).Unknown);

        Evaluation Evaluate(ReadOnlySpan<byte> text, int skip = 0)
        {
            int[] ids = words.Encode(text);
            int[] stream = skip > 0 ? ids : [words.EndOfText, .. ids];
            var examples = new Windows(stream, T, keepRest: true, "validation");
            var each = new ExampleScore[examples.Count];
            return new Evaluator(examples, words, 4).Evaluate(wordModel, 4, each, CancellationToken.None)!;
        }
    }

    /// <summary>
    /// An added token that is text counts the bytes that it is written with; one that is a mark counts none.
    /// </summary>
    [Fact]
    public void BitsPerByte_CountAddedTokensThatAreText()
    {
        var qwen = TokenizerFolder.Load(Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", "qwen"));
        using var qwenModel = new Gpt(GptConfig.Create(Architecture.Qwen3, 1, 2, 16, T, qwen.VocabularySize), backend);
        qwenModel.Initialize(2);
        int[] ids = [qwen.EndOfText, .. qwen.Encode("a<tool_call>b"), qwen.EndOfText];
        Assert.Equal(5, ids.Length);
        var examples = new Windows(ids, T, keepRest: true, "validation");
        var each = new ExampleScore[examples.Count];
        new Evaluator(examples, qwen, 4).Evaluate(qwenModel, 4, each, TestContext.Current.CancellationToken);
        Assert.Equal((4, "a<tool_call>b".Length), (each[0].Tokens, each[0].Bytes));
    }

    [Fact]
    public void NothingToScore_IsRefused()
    {
        var examples = new Windows(new[] { 5, 7, 7 }, T, keepRest: true, "validation", unscored: 7);
        var evaluator = new Evaluator(examples, tokenizer, 4);
        UserError.Expect(
            () => evaluator.Evaluate(model, 4, new ExampleScore[1], CancellationToken.None), "no token to score");
    }

    [Fact]
    public void AskedToStop_ItMeasuresNothing()
    {
        var examples =
            new WatchedExamples(new Windows(new RandomValues(6).Integers(84, 0, 256), T, keepRest: true, "validation"));
        using var arena = new Arena(backend, "test");
        var activations = new Activations(arena, model.Config, 4, T, training: false);
        arena.Allocate();
        Assert.Null(
            new Evaluator(examples, tokenizer, 4).Evaluate(model, activations, new CancellationToken(canceled: true)));
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
        Assert.Equal(
            evaluation.BitsPerByte, each.Sum(score => score.Loss) / Math.Log(2) / each.Sum(score => score.Bytes), 1e-9);
        return evaluation;
    }
}
