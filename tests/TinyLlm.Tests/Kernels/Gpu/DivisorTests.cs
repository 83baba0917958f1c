using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>A division by multiplication is exact.</summary>
public sealed class DivisorTests
{
    [Fact]
    public void Quotients_AreExact_AroundMultiplesAndAtTheEnds()
    {
        var random = new Random(1);
        int[] divisors = [.. Enumerable.Range(1, 2000), int.MaxValue, int.MaxValue - 1, 1 << 30, (1 << 30) + 1,
            (1 << 30) - 1, .. Enumerable.Range(0, 2000).Select(_ => random.Next(1, int.MaxValue))];
        foreach (int d in divisors)
        {
            var divisor = new Divisor(d);
            foreach (long multiple in (long[])[0, d, 2L * d, int.MaxValue / d * (long)d,
                random.Next(int.MaxValue / d) * (long)d])
            {
                for (long n = multiple - 1; n <= multiple + 1; n++)
                {
                    if (n is >= 0 and <= int.MaxValue)
                        Assert.Equal((int)(n / d), divisor.Quotient((int)n));
                }
            }

            Assert.Equal(int.MaxValue / d, divisor.Quotient(int.MaxValue));
        }
    }
}
