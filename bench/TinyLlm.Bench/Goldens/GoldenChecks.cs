using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// Doubts the oracle: its gradients against numerical differences, its optimizer against the written-out formula.
/// </summary>
internal static class GoldenChecks
{
    private const double GradientTolerance = 1e-6;

    /// <summary>
    /// Compares autograd with (loss(w + h) - loss(w - h)) / 2h at the largest gradient and at two drawn places of every
    /// parameter. Returns the number of places and the largest difference, relative to the largest gradient of its
    /// parameter.
    /// </summary>
    /// <exception cref="InvalidOperationException">A difference is too large.</exception>
    public static (int Places, double Difference) Gradients(
        GoldenModel model, Func<Tensor> loss, IReadOnlyList<Tensor> gradients, GoldenRandom random)
    {
        const double h = 1e-5;
        int places = 0;
        double largest = 0;
        using var noGrad = no_grad();
        foreach (var ((name, value), gradient) in model.Parameters.Zip(gradients))
        {
            var (flat, flatGradient) = (value.view(-1), gradient.view(-1));
            int count = (int)flat.shape[0];
            double scale = flatGradient.abs().max().item<double>();
            foreach (int i in (int[])[(int)flatGradient.abs().argmax().item<long>(), random.Next(count),
                random.Next(count)])
            {
                double expected = Difference(flat, i, h, loss),
                    difference = Math.Abs(flatGradient[i].item<double>() - expected) / scale;
                if (!(difference <= GradientTolerance))
                {
                    throw new InvalidOperationException($"{model.Architecture}: gradient of {name}[{i}] is "
                        + $"{flatGradient[i].item<double>():R}, by differences {expected:R}.");
                }

                largest = Math.Max(largest, difference);
                places++;
            }
        }

        return (places, largest);
    }

    private static double Difference(Tensor flat, int i, double h, Func<Tensor> loss)
    {
        using var scope = NewDisposeScope();
        double original = flat[i].item<double>();
        flat[i] = original + h;
        double above = loss().item<double>();
        flat[i] = original - h;
        double below = loss().item<double>();
        flat[i] = original;
        return (above - below) / (2 * h);
    }
}

/// <summary>
/// AdamW as its paper has it, in plain C#, on a copy of a parameter: what <c>torch.optim.AdamW</c> must arrive at with
/// the same gradients.
/// </summary>
/// <remarks>I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2.</remarks>
internal sealed class WrittenOutAdamW(
    double[] weights, double lr, double beta1, double beta2, double epsilon, double weightDecay)
{
    private readonly double[] m = new double[weights.Length], v = new double[weights.Length];
    private int step;

    /// <summary>One step with this gradient.</summary>
    public void Step(double[] gradient)
    {
        step++;
        for (int i = 0; i < weights.Length; i++)
        {
            m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
            v[i] = beta2 * v[i] + (1 - beta2) * gradient[i] * gradient[i];
            double mHat = m[i] / (1 - Math.Pow(beta1, step)), vHat = v[i] / (1 - Math.Pow(beta2, step));
            weights[i] -= lr * (mHat / (Math.Sqrt(vHat) + epsilon) + weightDecay * weights[i]);
        }
    }

    /// <summary>The largest absolute difference to <paramref name="actual"/>; NaN where there is one.</summary>
    public double LargestDifference(double[] actual)
    {
        double largest = 0;
        for (int i = 0; i < weights.Length; i++)
            largest = Math.Max(largest, Math.Abs(actual[i] - weights[i]));
        return largest;
    }
}
