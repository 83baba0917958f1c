using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void AdamWCore(
        Tensor parameters, Tensor gradients, Tensor m, Tensor v, Tensor sumSquares, Tensor state,
        AdamWSettings settings,
        Tensor? copy) =>
            Launch(Each(parameters.Count), AdamWKernel, Floats(parameters), Floats(gradients), Floats(m), Floats(v),
                Floats(sumSquares), Integers(state), settings,
                    View<BFloat16>(copy));

    [Kernel(GroupSize)]
    private static void AdamWKernel(
        ArrayView<float> parameters, ArrayView<float> gradients, ArrayView<float> m, ArrayView<float> v,
        ArrayView<float> sumSquares,
        ArrayView<int> state, AdamWSettings settings, ArrayView<BFloat16> copy)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        float norm = XMath.Sqrt(sumSquares[0]);
        if (i >= parameters.IntLength || XMath.IsNaN(norm) || XMath.IsInfinity(norm))
            return;

        float learningRate = Interop.IntAsFloat((uint)state[StepState.LearningRate]);
        float correction1 = Interop.IntAsFloat((uint)state[StepState.BiasCorrection1]),
            correction2 = Interop.IntAsFloat((uint)state[StepState.BiasCorrection2]);
        float clip = settings.Clip > 0 ? XMath.Min(1f, settings.Clip / (norm + 1e-6f)) : 1;

        float gradient = gradients[i] * clip;
        float mean = settings.Beta1 * m[i] + (1 - settings.Beta1) * gradient;
        float square = settings.Beta2 * v[i] + (1 - settings.Beta2) * gradient * gradient;
        float step = mean / (XMath.Sqrt(square) / XMath.Sqrt(correction2) + settings.Epsilon);
        float parameter = parameters[i] * (1 - learningRate * settings.WeightDecay) - learningRate / correction1 * step;
        m[i] = mean;
        v[i] = square;
        parameters[i] = parameter;
        if (copy.IntLength > 0)
            copy[i] = default(BFloat16).From(parameter);
    }
}
