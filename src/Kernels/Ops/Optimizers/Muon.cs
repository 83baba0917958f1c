namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// The momentum of Muon (K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024),
    /// Nesterov's, with clipping by the global norm folded in: g' = g min(1, clip / (norm + 1e-6)); m = decay m + g';
    /// update = g' + decay m.
    /// </summary>
    /// <remarks>Where the norm is not finite nothing is changed, as in <see cref="AdamW"/>.</remarks>
    /// <param name="gradients">F32, any shape.</param>
    /// <param name="momentum">F32, shape of the gradients; updated.</param>
    /// <param name="update">F32, shape of the gradients; overwritten.</param>
    /// <param name="sumSquares">(1) F32: square of the global norm of all gradients, of this call or not.</param>
    /// <param name="decay">Decay of the momentum.</param>
    /// <param name="clip">Largest global norm of the gradients; 0 for no clipping.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MuonMomentum(
        Tensor gradients, Tensor momentum, Tensor update, Tensor sumSquares, float decay, float clip)
    {
        Check.Shape(nameof(MuonMomentum), gradients, gradients.Shape);
        Check.Shape(nameof(MuonMomentum), momentum, gradients.Shape);
        Check.Shape(nameof(MuonMomentum), update, gradients.Shape);
        Check.Shape(nameof(MuonMomentum), sumSquares, 1);
        MuonMomentumCore(gradients, momentum, update, sumSquares, decay, clip);
    }

    /// <summary>The update of Muon: with rate = lr factor, p = p (1 - rate decay) - rate scale direction.</summary>
    /// <remarks>Where the norm is not finite nothing is changed, as in <see cref="AdamW"/>.</remarks>
    /// <param name="parameters">F32, any shape; updated.</param>
    /// <param name="direction">F32 or BF16, shape of the parameters.</param>
    /// <param name="sumSquares">(1) F32: square of the global norm of all gradients.</param>
    /// <param name="state">The buffer of <see cref="StepState"/>: the learning rate.</param>
    /// <param name="factor">What the learning rate is multiplied with.</param>
    /// <param name="scale">What the direction is multiplied with.</param>
    /// <param name="weightDecay">Decoupled weight decay.</param>
    /// <param name="copy">BF16, shape of the parameters, or none: the weights that the passes compute with; overwritten
    /// with the updated parameters, rounded.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MuonStep(
        Tensor parameters, Tensor direction, Tensor sumSquares, Tensor state, float factor, float scale,
        float weightDecay, Tensor? copy = null)
    {
        Check.Shape(nameof(MuonStep), parameters, parameters.Shape);
        Check.Shape(nameof(MuonStep), direction, parameters.Shape, Check.Floating(nameof(MuonStep), direction));
        Check.Shape(nameof(MuonStep), sumSquares, 1);
        Check.Shape(nameof(MuonStep), state, StepState.Size, DType.I32);
        Check.Shape(nameof(MuonStep), copy, parameters.Shape, DType.BF16);
        MuonStepCore(parameters, direction, sumSquares, state, factor, scale, weightDecay, copy);
    }

    private protected abstract void MuonMomentumCore(
        Tensor gradients, Tensor momentum, Tensor update, Tensor sumSquares, float decay, float clip);

    private protected abstract void MuonStepCore(
        Tensor parameters, Tensor direction, Tensor sumSquares, Tensor state, float factor, float scale,
        float weightDecay, Tensor? copy);
}
