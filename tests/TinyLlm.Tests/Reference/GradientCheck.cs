using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Reference;

/// <summary>Checks a gradient against central differences of the function itself, along random directions.</summary>
internal static class GradientCheck
{
    private const int Directions = 3;
    private const double Step = 1e-4, Tolerance = 1e-6;

    /// <summary>
    /// Fails unless the slope of loss(x + h u) at h = 0 agrees with gradient . u within 1e-6 of |gradient|, for several
    /// directions u of about unit length. The loss reads <paramref name="x"/>, which is moved and put back.
    /// </summary>
    /// <param name="name">What the message calls the argument.</param>
    public static void Check(string name, double[] x, double[] gradient, Func<double> loss, int seed = 1)
    {
        Assert.Equal(x.Length, gradient.Length);
        var values = new RandomValues(seed);
        var saved = (double[])x.Clone();
        double size = Math.Sqrt(ReferenceOps.SumSquares(gradient));
        for (int n = 0; n < Directions; n++)
        {
            // Towards the gradient as much as away from it: a random direction of many dimensions would be nearly
            // orthogonal to it.
            var u = values.Gaussians(x.Length);
            double length = Math.Sqrt(ReferenceOps.SumSquares(u));
            for (int i = 0; i < u.Length; i++)
                u[i] = u[i] / length + (size > 0 ? gradient[i] / size : 0);

            // The five-point formula: its error falls with the fourth power of the step.
            double expected = (8 * (Moved(1) - Moved(-1)) - (Moved(2) - Moved(-2))) / (12 * Step),
                actual = ReferenceOps.Dot(gradient, u);
            if (!(Math.Abs(actual - expected) <= Tolerance * Math.Max(size, 1e-3)))
            {
                Assert.Fail($"{name}: the gradient along direction {n} is {actual:R}, central differences give "
                    + $"{expected:R}; |gradient| {size:R}, seed {seed}.");
            }

            double Moved(double steps)
            {
                for (int i = 0; i < x.Length; i++)
                    x[i] = saved[i] + steps * Step * u[i];
                double value = loss();
                saved.CopyTo(x, 0);
                return value;
            }
        }
    }
}
