using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>What a norm keeps of each row for its backward pass. RMSNorm has no mean.</summary>
internal readonly record struct NormStatistics(Tensor Mean, Tensor Rstd)
{
    public static NormStatistics Plan(Arena arena, string name, int rows) =>
        new(arena.Add(name + ".mean", rows), arena.Add(name + ".rstd", rows));
}

/// <summary>LayerNorm where there is a bias (gpt2), else RMSNorm.</summary>
internal sealed class Norm(Backend backend, Parameter weight, Parameter? bias, float epsilon)
{
    /// <summary>(..., C) to (..., C); x and y may be strided for RMSNorm.</summary>
    public void Forward(Tensor x, Tensor y, NormStatistics statistics)
    {
        if (bias is not null)
            backend.LayerNorm(x, weight.Value, bias.Value, y, statistics.Mean, statistics.Rstd, epsilon);
        else
            backend.RmsNorm(x, weight.Value, y, statistics.Rstd, epsilon);
    }

    /// <summary>
    /// Adds to dx: the gradient that bypasses the block through the residual connection is there already.
    /// </summary>
    public void BackwardResidual(Tensor dy, Tensor x, NormStatistics statistics, Tensor dx)
    {
        if (bias is not null)
        {
            backend.LayerNormBackward(
                dy, x, weight.Value, statistics.Mean, statistics.Rstd, dx, weight.Gradient, bias.Gradient);
        }
        else
            backend.RmsNormBackward(dy, x, weight.Value, statistics.Rstd, dx, weight.Gradient, accumulate: true);
    }

    /// <summary>Overwrites dx: for the norms of queries and keys.</summary>
    public void BackwardHeads(Tensor dy, Tensor x, NormStatistics statistics, Tensor dx) =>
        backend.RmsNormBackward(dy, x, weight.Value, statistics.Rstd, dx, weight.Gradient, accumulate: false);
}
