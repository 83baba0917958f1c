using System.Reflection;
using System.Runtime.InteropServices;

namespace TinyLlm.Kernels.Gpu;

/// <summary>One launch of an attention kernel.</summary>
/// <param name="KernelIndex">Place in <see cref="AttentionPlan.Kernels"/>.</param>
/// <param name="GroupsX">First dimension of the grid.</param>
/// <param name="GroupsY">Second dimension of the grid.</param>
internal readonly record struct AttentionLaunch(int KernelIndex, int GroupsX, int GroupsY);

/// <summary>
/// Which of <see cref="TensorCoreAttention"/>'s kernels compute an attention, and how they are launched. It follows
/// from the sizes alone, and so do the bits of the results. Allocates nothing.
/// </summary>
internal static class AttentionPlan
{
    private const int MaxHeadSize = 128, Forwards = 0, QueryBackwards = 3, KeyBackwards = 6, DeltaBackward = 9;

    private static readonly string[] names =
    [
        nameof(TensorCoreAttention.Forward32), nameof(TensorCoreAttention.Forward64),
            nameof(TensorCoreAttention.Forward128),
        nameof(TensorCoreAttention.BackwardQueries32), nameof(TensorCoreAttention.BackwardQueries64),
        nameof(TensorCoreAttention.BackwardQueries128),
        nameof(TensorCoreAttention.BackwardKeys32), nameof(TensorCoreAttention.BackwardKeys64),
        nameof(TensorCoreAttention.BackwardKeys128),
        nameof(TensorCoreAttention.BackwardDelta),
    ];

    private static readonly int[] rowsOfGroup =
    [
        AttentionShape.Rows(new ForwardTile32()), AttentionShape.Rows(new ForwardTile64()),
            AttentionShape.Rows(new ForwardTile128()),
        AttentionShape.Rows(new BackwardTile32()), AttentionShape.Rows(new BackwardTile64()),
        AttentionShape.Rows(new BackwardQueryTile128()),
        AttentionShape.Rows(new BackwardTile32()), AttentionShape.Rows(new BackwardTile64()),
        AttentionShape.Rows(new BackwardKeyTile128()),
    ];

    /// <summary>All kernels that a launch may name, each to be compiled when first needed.</summary>
    public static IReadOnlyList<MethodInfo> Kernels { get; } =
        [.. names.Select(
            name => typeof(TensorCoreAttention).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!)];

    /// <summary>
    /// Whether the kernels compute this: heads are copied in chunks of 16 bytes, and their sums are in registers.
    /// Offsets, starts and dropout make no difference. A lone query, as in decoding, would leave most of a tile empty.
    /// </summary>
    public static bool Supports(in AttentionArguments a) =>
        a.HeadSize is > 0 and <= MaxHeadSize && a.HeadSize % SharedTile.ChunkElements == 0 && a.Queries > 1 &&
        a.Q.IsAligned && a.K.IsAligned && a.V.IsAligned && a.Output.IsAligned;

    /// <summary>Whether they compute its gradients as well.</summary>
    public static bool SupportsBackward(in AttentionArguments a) =>
        Supports(a) && a.DOutput.IsAligned && a.Dq.IsAligned && a.Dk.IsAligned && a.Dv.IsAligned;

    /// <summary>
    /// Bytes of device memory that the backward pass needs at <see cref="AttentionArguments.Delta"/>.
    /// </summary>
    public static long WorkspaceBytes(in AttentionArguments a) => sizeof(float) * (long)a.Batch * a.Heads * a.Queries;

    /// <summary>The forward pass.</summary>
    public static AttentionLaunch Forward(in AttentionArguments a) => ForQueries(a, Forwards);

    /// <summary>The first launch of the backward pass: delta = dOut . out, which the others read.</summary>
    public static AttentionLaunch BackwardDelta(in AttentionArguments a) =>
        new(DeltaBackward, a.Batch * a.Heads, Ceiling(a.Queries, TensorCoreAttention.DeltaRows));

    /// <summary>The gradients of queries.</summary>
    public static AttentionLaunch BackwardQueries(in AttentionArguments a) => ForQueries(a, QueryBackwards);

    /// <summary>The gradients of keys and values.</summary>
    public static AttentionLaunch BackwardKeys(in AttentionArguments a)
    {
        int kernel = KeyBackwards + SizeIndex(a.HeadSize);
        return new(kernel, a.Batch * a.KeyHeads, Ceiling(a.Keys, rowsOfGroup[kernel]));
    }

    /// <summary>
    /// The arguments of a launch as <see cref="CudaFunction.Launch"/> takes them: one parameter, which lies in the
    /// first slots.
    /// </summary>
    public static ReadOnlySpan<long> Slots(in AttentionArguments a) =>
        MemoryMarshal.Cast<AttentionArguments, long>(new ReadOnlySpan<AttentionArguments>(in a));

    private static AttentionLaunch ForQueries(in AttentionArguments a, int firstKernel)
    {
        int kernel = firstKernel + SizeIndex(a.HeadSize);
        return new(kernel, a.Batch * a.Heads, Ceiling(a.Queries, rowsOfGroup[kernel]));
    }

    private static int SizeIndex(int headSize) => headSize <= 32 ? 0 : headSize <= 64 ? 1 : 2;

    private static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;
}
