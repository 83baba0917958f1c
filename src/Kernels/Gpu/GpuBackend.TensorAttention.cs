namespace TinyLlm.Kernels.Gpu;

/// <summary>Attention that tensor cores take.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>
    /// Attention on tensor cores; false, and nothing done, where the device has none, or the type or the sizes are not
    /// theirs.
    /// </summary>
    private bool TryTensorCores(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
    {
        if (tensorCores is null || q.DType != DType.BF16)
            return false;
        var arguments = Arguments(q, k, v, output, logSumExp, mask, dropout);
        if (!AttentionPlan.Supports(arguments))
            return false;
        Launch(AttentionPlan.Forward(arguments), arguments);
        return true;
    }

    /// <summary>The same for the gradients.</summary>
    private bool TryTensorCores(
        Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, Tensor dq, Tensor dk, Tensor dv,
        AttentionMask mask, AttentionDropout dropout)
    {
        if (tensorCores is null || q.DType != DType.BF16)
            return false;
        var arguments = Arguments(q, k, v, output, logSumExp, mask, dropout);
        (arguments.DOutput, arguments.Dq, arguments.Dk, arguments.Dv) =
            (Heads(dOutput), Heads(dq), Heads(dk), Heads(dv));
        if (!AttentionPlan.SupportsBackward(arguments))
            return false;
        arguments.Delta = Address(Scratch<byte>(ScratchRows, AttentionPlan.WorkspaceBytes(arguments)));
        Launch(AttentionPlan.BackwardDelta(arguments), arguments);
        Launch(AttentionPlan.BackwardKeys(arguments), arguments);
        Launch(AttentionPlan.BackwardQueries(arguments), arguments);
        return true;
    }

    private void Launch(AttentionLaunch launch, in AttentionArguments arguments) =>
        tensorCores!.Launch(
            AttentionPlan.Kernels[launch.KernelIndex], launch.GroupsX, launch.GroupsY, AttentionPlan.Slots(arguments));

    private static AttentionArguments Arguments(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
    {
        var arguments = AttentionArguments.Of(q.Shape, k.Shape, dropout.Probability, dropout.Site);
        (arguments.Q, arguments.K, arguments.V, arguments.Output) = (Heads(q), Heads(k), Heads(v), Heads(output));
        arguments.LogSumExp = Address(logSumExp);
        arguments.Offsets = Address(mask.Offsets);
        arguments.Starts = Address(mask.Starts);
        arguments.State = dropout.Probability == 0 ? 0 : Address(dropout.State);
        return arguments;
    }

    private static DeviceHeads Heads(Tensor x) => DeviceHeads.Of(x, Address(x));

    private static long Address(Tensor x) => ((GpuStorage)x.Storage).Address + x.Offset * x.DType.Size();

    private static long Address(Tensor? x) => x is { } present ? Address(present) : 0;
}
