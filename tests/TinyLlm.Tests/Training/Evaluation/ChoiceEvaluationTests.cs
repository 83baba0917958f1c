using System.Text;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>Against a forward pass of each choice alone.</summary>
public sealed class ChoiceEvaluationTests : IDisposable
{
    private const int Context = 48;

    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly ByteTokenizer tokenizer = new();
    private readonly Gpt model;

    public ChoiceEvaluationTests()
    {
        model = new Gpt(GptConfig.Create(Architecture.Qwen3, 1, 2, 16, Context, tokenizer.VocabularySize), backend);
        model.Initialize(2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ThePick_IsTheLikeliestChoice_WhateverTheBatch(bool chat)
    {
        var random = new Random(3);
        ChoiceRow[] rows = [.. Enumerable.Range(0, 40)
            .Select(_ =>
                new ChoiceRow(
                    Text(random, 6), [.. Enumerable.Range(0, 4).Select(_ => Text(random, random.Next(1, 9)))],
                    random.Next(4)))];

        // One that is left out; no token of it may count elsewhere.
        rows[7] = rows[7] with { Context = Text(random, 60) };
        bool?[] plain = new bool?[40], normalised = new bool?[40];
        for (int row = 0; row < 40; row++)
        {
            if (row == 7)
                continue;
            double[] sums = [.. rows[row].Choices.Select(choice => LogLikelihood(rows[row].Context, choice, chat))];
            plain[row] = Array.IndexOf(sums, sums.Max()) == rows[row].Answer;
            double[] means = [.. sums.Select((sum, i) => sum / Encoding.UTF8.GetByteCount(rows[row].Choices[i]))];
            normalised[row] = Array.IndexOf(means, means.Max()) == rows[row].Answer;
        }

        // The two measures differ, and neither gets all or none.
        Assert.NotEqual(plain, normalised);
        Assert.Contains(true, plain);
        Assert.Contains(false, plain);
        foreach (int b in new[] { 1, 3, 16 })
        {
            var actual = ChoiceEvaluation.Run(model, tokenizer, rows, b, chat, TestContext.Current.CancellationToken)!;
            Assert.Equal(plain, actual.ByLikelihood);
            Assert.Equal(normalised, actual.ByLikelihoodOfAByte);
        }

        Assert.Null(ChoiceEvaluation.Run(model, tokenizer, rows, 2, chat, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void NumbersThatAreNone_AreRefused()
    {
        model.Write(model.Parameters.All[0], values => values.Fill(float.NaN));
        UserError.Expect(
            () => ChoiceEvaluation.Run(
                model, tokenizer, [new ChoiceRow("a", ["b", "c"], 0)], 1, chat: false,
                TestContext.Current.CancellationToken), "not a number", "checkpoint");
    }

    public void Dispose()
    {
        model.Dispose();
        backend.Dispose();
    }

    private double LogLikelihood(string context, string choice, bool chat)
    {
        int[] before = chat ? ChatTemplate.EncodePrompt(tokenizer, [new ChatMessage("user", context)])
            : [tokenizer.DocumentStart, .. tokenizer.Encode(context)];
        int[] after = chat ? [.. tokenizer.Encode(choice), tokenizer.TurnEnd]
            : tokenizer.Encode(" " + choice), all = [.. before, .. after];
        using var run = new ModelRun(model, 1, all.Length - 1);
        return run.Forward(all[..^1], all[1..]).TakeLast(after.Length).Sum(p => (double)p);
    }

    private static string Text(Random random, int length) =>
        string.Concat(
            Enumerable.Range(0, length)
            .Select(_ => random.Next(6) == 0 ? "\u00E9" : ((char)('a' + random.Next(26))).ToString()));
}
