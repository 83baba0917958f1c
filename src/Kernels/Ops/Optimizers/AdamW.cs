namespace TinyLlm.Kernels;

/// <summary>
/// What AdamW keeps the same over a run; the learning rate and the bias corrections come from the step state.
/// </summary>
/// <param name="Beta1">Decay of the mean of the gradients.</param>
/// <param name="Beta2">Decay of the mean of their squares.</param>
/// <param name="Epsilon">Added to the root of the mean square.</param>
/// <param name="WeightDecay">Decoupled weight decay; 0 for biases, norms and whatever else is no matrix.</param>
/// <param name="Clip">Largest global norm of the gradients; 0 for no clipping.</param>
public readonly record struct AdamWSettings(float Beta1, float Beta2, float Epsilon, float WeightDecay, float Clip);

public abstract partial class Backend
{
    /// <summary>
    /// One step of AdamW (I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", 2019), with clipping by
    /// the global norm folded in: g' = g min(1, clip / (norm + 1e-6)); m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2)
    /// g'^2; p = p (1 - lr decay) - lr (m / c1) / (sqrt(v / c2) + epsilon).
    /// </summary>
    /// <remarks>
    /// Where the norm is not finite nothing is changed: the weights stay the last good ones until the host notices.
    /// </remarks>
    /// <param name="parameters">(N) F32; updated.</param>
    /// <param name="gradients">(N) F32.</param>
    /// <param name="m">(N) F32; updated.</param>
    /// <param name="v">(N) F32; updated.</param>
    /// <param name="sumSquares">(1) F32: square of the global norm of all gradients, of this call or not.</param>
    /// <param name="state">The buffer of <see cref="StepState"/>: learning rate and bias corrections.</param>
    /// <param name="settings">The constants.</param>
    /// <param name="copy">(N) BF16, or none: the weights that the passes compute with; overwritten with the updated
    /// parameters, rounded.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void AdamW(
        Tensor parameters, Tensor gradients, Tensor m, Tensor v, Tensor sumSquares, Tensor state,
        AdamWSettings settings,
        Tensor? copy = null)
    {
        Check.Shape(nameof(AdamW), parameters, parameters.Shape);
        Check.Shape(nameof(AdamW), gradients, parameters.Shape);
        Check.Shape(nameof(AdamW), m, parameters.Shape);
        Check.Shape(nameof(AdamW), v, parameters.Shape);
        Check.Shape(nameof(AdamW), sumSquares, 1);
        Check.Shape(nameof(AdamW), state, StepState.Size, DType.I32);
        Check.Shape(nameof(AdamW), copy, parameters.Shape, DType.BF16);
        AdamWCore(parameters, gradients, m, v, sumSquares, state, settings, copy);
    }

    private protected abstract void AdamWCore(
        Tensor parameters, Tensor gradients, Tensor m, Tensor v, Tensor sumSquares, Tensor state,
        AdamWSettings settings,
        Tensor? copy);
}
