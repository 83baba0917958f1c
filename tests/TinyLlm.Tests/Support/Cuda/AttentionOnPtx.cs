using System.Collections.Concurrent;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support.Ptx;

namespace TinyLlm.Tests.Support;

/// <summary>
/// An attention computed by the tensor-core kernels on the PTX machine, launched as their plan says. Each launch has a
/// machine and memory of its own.
/// </summary>
internal sealed record AttentionOnPtx(
    AttentionSizes Sizes, BFloatHeads Q, BFloatHeads K, BFloatHeads V, int[]? Offsets, int[]? Starts, float Dropout,
    int Site, int[] State)
{
    private static readonly ConcurrentDictionary<int, Lazy<PtxModule>> modules = new();

    /// <summary>Overwrites the output; returns the log-sum-exps.</summary>
    public float[] Forward(BFloatHeads output)
    {
        using var launch = new Launch(this, AttentionPlan.Forward);
        launch.Arguments.Output = launch.Upload(output);
        ulong logSumExp = launch.Machine.Allocate(4L * Rows);
        launch.Arguments.LogSumExp = (long)logSumExp;
        launch.Run();
        launch.Download(output, launch.Arguments.Output);
        return launch.Machine.Download<float>(logSumExp, Rows);
    }

    /// <summary>Overwrites the gradients.</summary>
    public void Backward(
        BFloatHeads dOutput, BFloatHeads output, float[] logSumExp, BFloatHeads dq, BFloatHeads dk, BFloatHeads dv)
    {
        float[] delta = Delta(dOutput, output);
        using (Launch launch = Start(AttentionPlan.BackwardQueries))
        {
            launch.Arguments.Dq = launch.Upload(dq);
            launch.Run();
            launch.Download(dq, launch.Arguments.Dq);
        }

        using (Launch launch = Start(AttentionPlan.BackwardKeys))
        {
            launch.Arguments.Dk = launch.Upload(dk);
            launch.Arguments.Dv = launch.Upload(dv);
            launch.Run();
            launch.Download(dk, launch.Arguments.Dk);
            launch.Download(dv, launch.Arguments.Dv);
        }

        Launch Start(AttentionLauncher plan)
        {
            var launch = new Launch(this, plan);
            launch.Arguments.DOutput = launch.Upload(dOutput);
            launch.Arguments.LogSumExp = (long)launch.Machine.Upload<float>(logSumExp);
            launch.Arguments.Delta = (long)launch.Machine.Upload<float>(delta);
            return launch;
        }
    }

    private float[] Delta(BFloatHeads dOutput, BFloatHeads output)
    {
        using var launch = new Launch(this, AttentionPlan.BackwardDelta);
        launch.Arguments.DOutput = launch.Upload(dOutput);
        launch.Arguments.Output = launch.Upload(output);
        ulong delta = launch.Machine.Allocate(AttentionPlan.WorkspaceBytes(launch.Arguments));
        launch.Arguments.Delta = (long)delta;
        launch.Run();
        return launch.Machine.Download<float>(delta, Rows);
    }

    private int Rows => Sizes.B * Sizes.H * Sizes.Tq;

    private delegate AttentionLaunch AttentionLauncher(in AttentionArguments arguments);

    /// <summary>One launch, and its machine's memory with what all kernels read.</summary>
    private sealed class Launch : IDisposable
    {
        private readonly AttentionLaunch plan;
        private readonly Dictionary<ushort[], long> uploads = [];
        public AttentionArguments Arguments;

        public Launch(AttentionOnPtx op, AttentionLauncher launcher)
        {
            AttentionSizes s = op.Sizes;
            Arguments = AttentionArguments.Of((s.B, s.Tq, s.H, s.D), (s.B, s.Tk, s.Hkv, s.D), op.Dropout, op.Site);
            plan = launcher(Arguments);
            PtxModule module = modules.GetOrAdd(
                plan.KernelIndex, kernel =>
                    new(() => PtxModule.Parse(OfflineCompiler.Ptx(AttentionPlan.Kernels[kernel])))).Value;
            Machine = new PtxMachine(module);
            (Arguments.Q, Arguments.K, Arguments.V) = (Upload(op.Q), Upload(op.K), Upload(op.V));
            Arguments.Offsets = Upload(op.Offsets);
            Arguments.Starts = Upload(op.Starts);
            Arguments.State = op.Dropout == 0 ? 0 : Upload(op.State);
        }

        public PtxMachine Machine { get; }

        public void Run()
        {
            var kernel = AttentionPlan.Kernels[plan.KernelIndex];
            var traits = (KernelAttribute)Attribute.GetCustomAttribute(kernel, typeof(KernelAttribute))!;
            Machine.Launch((plan.GroupsX, plan.GroupsY), traits.GroupSize, traits.DynamicSharedBytes, Arguments);
        }

        // Parts of one tensor share its copy.
        public DeviceHeads Upload(BFloatHeads x)
        {
            if (!uploads.TryGetValue(x.Data, out long address))
                uploads[x.Data] = address = (long)Machine.Upload<ushort>(x.Data);
            return new(address + 2 * x.First, x.BatchStride, x.TokenStride, x.HeadStride);
        }

        public void Download(BFloatHeads x, DeviceHeads from) =>
            Machine.Download<ushort>((ulong)(from.Address - 2 * x.First), x.Data.Length).CopyTo(x.Data, 0);

        public void Dispose() => Machine.Dispose();

        private long Upload(int[]? values) => values is null ? 0 : (long)Machine.Upload<int>(values);
    }
}
