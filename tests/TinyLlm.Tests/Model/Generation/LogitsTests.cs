using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>
/// What the sampler does with vectors of logits, against one at a time, over lengths around the vectors'.
/// </summary>
public sealed class LogitsTests
{
    [Fact]
    public void IndexOfLargest_IsTheFirstOfThem()
    {
        var random = new RandomValues(2);
        for (int length = 1; length <= 70; length++)
        {
            // Few values, so that the largest is often there twice; minus zero equals zero.
            float[] logits = Array.ConvertAll(random.Integers(length, -3, 1), i => i == 0 && length % 2 == 0 ? -0f : i);
            Assert.Equal(Array.IndexOf(logits, logits.Max()), Logits.IndexOfLargest(logits));

            Array.Fill(logits, float.NegativeInfinity);
            Assert.Equal(0, Logits.IndexOfLargest(logits));
            logits[^1] = -5;
            Assert.Equal(length - 1, Logits.IndexOfLargest(logits));
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void IndexOfLargest_FindsWhatIsNoLogit_InAnyPlace(float value)
    {
        for (int place = 0; place < 70; place++)
        {
            var logits = new float[70];
            logits[place] = value;
            Assert.Equal(-1, Logits.IndexOfLargest(logits));
        }
    }

    [Theory]
    [InlineData(1f, 0)]
    [InlineData(0.7f, 0.2)]
    [InlineData(1e-30f, 0)]
    public void Weigh_MatchesTheExponential(float temperature, double least)
    {
        for (int length = 1; length <= 40; length++)
        {
            float[] logits = Array.ConvertAll(new RandomValues(length).Floats(length, 3), x => Math.Min(x, 11));
            logits[length / 2] = float.NegativeInfinity;
            logits[0] = 11;
            var weights = new double[length];

            double sum = Logits.Weigh(logits, 11, temperature, least, weights);

            double[] expected = Array.ConvertAll(logits, x => Math.Exp((x - 11.0) / temperature));
            for (int i = 0; i < length; i++)
                Assert.Equal(expected[i] >= least ? expected[i] : 0, weights[i], 1e-14);
            Assert.Equal(weights.Sum(), sum, 1e-12);
            Assert.Equal(1, weights[0]);
        }
    }
}
