using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// Holds a gradient against differences of the loss along a random direction, for a whole parameter at once.
/// </summary>
internal static class DirectionalSlope
{
    /// <summary>
    /// Each parameter's gradient, as it lies there, and the central difference of the loss; the values are as before
    /// afterwards.
    /// </summary>
    /// <param name="parameters">With values and gradients.</param>
    /// <param name="loss">At the values as they are.</param>
    /// <param name="step">How far to go to either side.</param>
    public static void Check(IEnumerable<Parameter> parameters, Func<double> loss, float step)
    {
        foreach (var parameter in parameters)
        {
            var backend = parameter.Value.Storage.Backend;
            float[] values = ModelRun.Read(parameter.Value), gradient = ModelRun.Read(parameter.Gradient!.Value),
                direction = new RandomValues(7).Floats(values.Length);
            double slope = gradient.Zip(direction, (g, d) => (double)g * d).Sum();
            double Moved(float by)
            {
                backend.Write(parameter.Value, [.. values.Zip(direction, (v, d) => v + by * d)]);
                return loss();
            }

            double measured = (Moved(step) - Moved(-step)) / (2 * step);
            backend.Write(parameter.Value, values);
            Assert.True(Math.Abs(slope - measured) <= 2e-3 + 0.02 * Math.Abs(measured), $"{parameter.Name}: {slope}, "
                + $"measured {measured}");
        }
    }
}
