using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Products that tensor cores take.</summary>
internal sealed partial class GpuBackend
{
    // Sums of parts of the depth; products that would need more are not split.
    private const long ProductWorkspaceBytes = 64 << 20;

    /// <summary>
    /// <see cref="Multiply"/> on tensor cores; false, and nothing done, where the device has none, or the types or
    /// sizes are not theirs.
    /// </summary>
    private bool TryTensorCores<T,
        TC>(int rows, int columns, int depth,
            ArrayView<T> a, OperandLayout layoutA, ArrayView<T> b, OperandLayout layoutB, ArrayView<float> bias,
            ArrayView<TC> c, bool accumulate) where T : unmanaged where TC : unmanaged
    {
        if (tensorCores is null || typeof(T) != typeof(BFloat16))
            return false;
        long addressC = Address(c);
        var output = typeof(TC) == typeof(Float32) ? MatMulOutput.F32 : MatMulOutput.None;
        return TryTensorCores(rows, columns, depth, layoutA, layoutB,
            new MatMulCall(
                Address(a), Address(b), addressC, bias.Length > 0 ? Address(bias) : 0, accumulate ? addressC
                : 0, 0, output));
    }

    /// <summary>
    /// A product of bf16 matrices on tensor cores, with all that <see cref="MatMulCall"/> can add; false, and nothing
    /// done, where they do not take it.
    /// </summary>
    private bool TryTensorCores(
        int rows, int columns, int depth, OperandLayout layoutA, OperandLayout layoutB, MatMulCall call)
    {
        if (tensorCores is null || !Takes(rows, columns, depth, layoutA, layoutB, out var kind)
            || ((call.A | call.B | call.C | call.Bias | call.Addend | call.Pre) & 15) != 0)
            return false;

        var plan = MatMulPlan.For(
            kind, rows, columns, depth,
            new MatMulDevice(
                tensorCores.ComputeCapability, tensorCores.Multiprocessors, tensorCores.SharedBytesOfGroup,
                ProductWorkspaceBytes));
        long workspace = plan.Parts > 1 ? Address(Scratch<byte>(ScratchPartials, plan.WorkspaceBytes)) : 0;
        Span<long> slots = stackalloc long[MatMulPlan.MaxSlots];
        tensorCores.Launch(
            MatMulPlan.Kernels[plan.KernelIndex], plan.GridX, plan.GridY,
            plan.Arguments(slots, call, workspace, CudaDriver.TensorMaps));
        if (plan.Parts > 1)
        {
            tensorCores.Launch(
                MatMulPlan.Kernels[MatMulPlan.AddPartsIndex], plan.PartGroups, 1,
                plan.PartArguments(slots, call, workspace));
        }

        return true;
    }

    private static bool Takes(
        int rows, int columns, int depth, OperandLayout layoutA, OperandLayout layoutB, out MatMulKind kind)
    {
        bool depthContiguousA = layoutA.DepthStride == 1, depthContiguousB = layoutB.DepthStride == 1;
        kind = !depthContiguousA ? MatMulKind.BackwardWeight : depthContiguousB ? MatMulKind.Forward
            : MatMulKind.BackwardInput;
        if (kind == MatMulKind.BackwardWeight)
            return depth > 0 && !depthContiguousB && MatMulPlan.Supports(rows, columns);
        return rows > 0 && MatMulPlan.Supports(columns, depth);
    }

    private static long Address<T>(ArrayView<T> view) where T : unmanaged => view.LoadEffectiveAddressAsPtr();
}
