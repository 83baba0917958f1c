using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void MuonMomentumCore(
        Tensor gradients, Tensor momentum, Tensor update, Tensor sumSquares, float decay, float clip) =>
            Launch(Each(gradients.Count), MuonMomentumKernel, Floats(gradients), Floats(momentum), Floats(update),
                Floats(sumSquares), decay, clip);

    private protected override void MuonStepCore(
        Tensor parameters, Tensor direction, Tensor sumSquares, Tensor state, float factor, float scale,
        float weightDecay, Tensor? copy)
    {
        if (direction.DType == DType.BF16)
            MuonStep<BFloat16>(parameters, direction, sumSquares, state, factor, scale, weightDecay, copy);
        else
            MuonStep<Float32>(parameters, direction, sumSquares, state, factor, scale, weightDecay, copy);
    }

    private void MuonStep<T>(
        Tensor parameters, Tensor direction, Tensor sumSquares, Tensor state, float factor, float scale,
        float weightDecay, Tensor? copy)
        where T : unmanaged, IElement<T> =>
            Launch(Each(parameters.Count), MuonStepKernel, Floats(parameters),
            View<T>(direction), Floats(sumSquares), Integers(state), factor, scale, weightDecay, View<BFloat16>(copy));

    [Kernel(GroupSize)]
    private static void MuonMomentumKernel(
        ArrayView<float> gradients, ArrayView<float> momentum, ArrayView<float> update, ArrayView<float> sumSquares,
        float decay, float clip)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        float norm = XMath.Sqrt(sumSquares[0]);
        if (i >= gradients.IntLength || XMath.IsNaN(norm) || XMath.IsInfinity(norm))
            return;

        float gradient = gradients[i] * (clip > 0 ? XMath.Min(1f, clip / (norm + 1e-6f)) : 1f);
        float mean = decay * momentum[i] + gradient;
        momentum[i] = mean;
        update[i] = gradient + decay * mean;
    }

    [Kernel(GroupSize)]
    private static void MuonStepKernel<T>(
        ArrayView<float> parameters, ArrayView<T> direction, ArrayView<float> sumSquares, ArrayView<int> state,
        float factor, float scale,
        float weightDecay, ArrayView<BFloat16> copy) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        float norm = XMath.Sqrt(sumSquares[0]);
        if (i >= parameters.IntLength || XMath.IsNaN(norm) || XMath.IsInfinity(norm))
            return;

        float rate = Interop.IntAsFloat((uint)state[StepState.LearningRate]) * factor;
        float parameter = parameters[i] * (1 - rate * weightDecay) - rate * scale * direction[i].ToFloat();
        parameters[i] = parameter;
        if (copy.IntLength > 0)
            copy[i] = default(BFloat16).From(parameter);
    }
}
