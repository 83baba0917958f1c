using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Training;

public class WindowsTests
{
    [Theory]
    [InlineData(2, 4)]
    [InlineData(5, 4)]
    [InlineData(9, 4)]
    [InlineData(10, 4)]
    [InlineData(11, 4)]
    [InlineData(100, 7)]
    public void EvaluationWindows_ScoreEachTokenOnce(int length, int context)
    {
        var windows = new Windows(Enumerable.Range(0, length).ToArray(), context, keepRest: true, "test");
        var seen = new List<int>();
        int[] tokens = new int[context], targets = new int[context];
        for (long i = 0; i < windows.Count; i++)
        {
            windows.Read(0, i, tokens, targets);
            for (int n = 0; n < context; n++)
            {
                if (targets[n] < 0)
                    continue;
                Assert.Equal(tokens[n] + 1, targets[n]);
                seen.Add(targets[n]);
            }
        }

        Assert.Equal(Enumerable.Range(1, length - 1), seen);
    }

    /// <summary>
    /// Llama 3's documents: begin, text, end, begin, ...: the token that begins one is read and never predicted.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ATokenThatOnlyBeginsDocuments_IsNoTarget(bool evaluation)
    {
        const int Begin = 99, Context = 4;
        int[] stream = [Begin, 1, 2, 3, 98, Begin, 4, 98, Begin, Begin, 5, 98, Begin];
        var windows = new Windows(stream, Context, evaluation, "test", unscored: Begin);
        var seen = new List<int>();
        int[] tokens = new int[Context], targets = new int[Context];
        for (long i = 0; i < windows.Count; i++)
        {
            windows.Read(0, i, tokens, targets);
            Assert.Equal(stream[(int)(i * Context)..(int)((i + 1) * Context)], tokens);
            for (int n = 0; n < Context; n++)
            {
                int next = stream[i * Context + n + 1];
                Assert.Equal(next == Begin ? -1 : next, targets[n]);
                if (targets[n] >= 0)
                    seen.Add(targets[n]);
            }
        }

        Assert.Equal([1, 2, 3, 98, 4, 98, 5, 98], seen);
    }

    [Fact]
    public void TrainingWindows_AreFull()
    {
        var windows = new Windows(Enumerable.Range(0, 100).ToArray(), 7, keepRest: false, "test");
        Assert.Equal(14, windows.Count);
        int[] tokens = new int[7], targets = new int[7];
        for (long i = 0; i < windows.Count; i++)
        {
            windows.Read(i % 5, i, tokens, targets);
            Assert.DoesNotContain(-1, targets);
        }
    }

    [Theory]
    [InlineData(65)]
    [InlineData(1000)]
    [InlineData(5001)]
    public void EachEpoch_CutsAtOtherPlaces_WithinTheStream(int length)
    {
        var windows = new Windows(Enumerable.Range(0, length).ToArray(), 64, keepRest: false, "test");
        int[] tokens = new int[64], targets = new int[64];
        var starts = new HashSet<int>();
        for (long epoch = 0; epoch < 8; epoch++)
        {
            for (long i = 0; i < windows.Count; i++)
            {
                windows.Read(epoch, i, tokens, targets);
                Assert.Equal(tokens[0] + 64, targets[^1]);
                if (i == 0)
                    starts.Add(tokens[0]);
                else
                    Assert.Equal(0, (tokens[0] - starts.Last()) % 64);
            }
        }

        Assert.Contains(0, starts);
        Assert.Equal(length == 65 ? 1 : 8, starts.Count);
    }

    [Fact]
    public void TooFewTokens_AreRefused()
    {
        var error = Assert.Throws<TinyLlmException>(() => new Windows(new int[64], 64, keepRest: false, "training"));
        Assert.Equal("The training data has 64 tokens; expected at least 65, one more than --context 64. Give more "
            + "text or a shorter context.", error.Message);
    }

    [Fact]
    public void AnEpoch_VisitsEachExampleOnce_AndTheNextInAnotherOrder()
    {
        var order = new ExampleOrder(50, seed: 3);
        long[] first = Enumerable.Range(0, 50).Select(i => order.At(i).Index).ToArray(),
            second = Enumerable.Range(50, 50).Select(i => order.At(i).Index).ToArray();

        Assert.Equal(Enumerable.Range(0, 50).Select(i => (long)i), first.Order());
        Assert.Equal(first.Order(), second.Order());
        Assert.NotEqual(first, second);
        Assert.Equal((0, first[17]), new ExampleOrder(50, seed: 3).At(17));
        Assert.Equal((1, second[17]), order.At(67));
    }
}
