using System.Reflection;
using System.Runtime.CompilerServices;
using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>Which attentions the tensor-core kernels take, and the launches that they get.</summary>
public sealed class AttentionPlanTests
{
    [Theory]
    [InlineData(8, 2, true)]
    [InlineData(64, 1024, true)]
    [InlineData(96, 77, true)]
    [InlineData(128, 2, true)]
    [InlineData(20, 64, false)]
    [InlineData(136, 64, false)]
    [InlineData(64, 1, false)]
    public void Supports_HeadsOfWholeChunksAndMoreThanOneQuery(int headSize, int queries, bool supported)
    {
        AttentionArguments a = Arguments(2, queries, 4, 2, headSize);
        Assert.Equal(supported, AttentionPlan.Supports(a));
        Assert.Equal(supported, AttentionPlan.SupportsBackward(a));
    }

    [Fact]
    public void Supports_AlignedTensorsOnly()
    {
        AttentionArguments a = Arguments(2, 64, 4, 2, 64);
        DeviceHeads q = a.Q;
        a.Q = q with { Address = q.Address + 8 };
        Assert.False(AttentionPlan.Supports(a));
        a.Q = q with { TokenStride = q.TokenStride + 4 };
        Assert.False(AttentionPlan.Supports(a));

        a.Q = q;
        a.Dv = q with { HeadStride = 60 };
        Assert.True(AttentionPlan.Supports(a));
        Assert.False(AttentionPlan.SupportsBackward(a));
    }

    /// <summary>
    /// Every kernel asks for the shared memory that its tiles take, and no more than every device of compute capability
    /// 8.0 and up has.
    /// </summary>
    [Fact]
    public void Kernels_AskForTheirSharedMemory()
    {
        int[] expected =
        [
            AttentionShape.SharedBytes(new ForwardTile32(), 1, false),
            AttentionShape.SharedBytes(new ForwardTile64(), 1, false),
            AttentionShape.SharedBytes(new ForwardTile128(), 1, false),
            AttentionShape.SharedBytes(new BackwardTile32(), 2, false),
            AttentionShape.SharedBytes(new BackwardTile64(), 2, false),
            AttentionShape.SharedBytes(new BackwardQueryTile128(), 2, false),
            AttentionShape.SharedBytes(new BackwardTile32(), 2, true),
            AttentionShape.SharedBytes(new BackwardTile64(), 2, true),
            AttentionShape.SharedBytes(new BackwardKeyTile128(), 2, true),
            0,
        ];
        Assert.Equal(
            expected, AttentionPlan.Kernels.Select(
                kernel => kernel.GetCustomAttribute<KernelAttribute>()!.DynamicSharedBytes));
        Assert.All(expected, bytes => Assert.InRange(bytes, 0, 99 * 1024));
    }

    [Theory]
    [InlineData(32, 1, "Forward32", 1)]
    [InlineData(64, 128, "Forward64", 1)]
    [InlineData(64, 129, "Forward64", 2)]
    [InlineData(72, 1024, "Forward128", 8)]
    public void Forward_HasAGroupForEachHeadAnd128Queries(int headSize, int queries, string kernel, int groups)
    {
        AttentionLaunch launch = AttentionPlan.Forward(Arguments(3, queries, 4, 2, headSize));
        Assert.Equal(kernel, AttentionPlan.Kernels[launch.KernelIndex].Name);
        Assert.Equal((3 * 4, groups), (launch.GroupsX, launch.GroupsY));
    }

    [Theory]
    [InlineData(24, "32", 2, 2)]
    [InlineData(64, "64", 2, 2)]
    [InlineData(128, "128", 2, 3)]
    public void Backward_HasGroupsForQueriesAndForKeyHeads(int headSize, string size, int queryGroups, int keyGroups)
    {
        AttentionArguments a = Arguments(3, 150, 4, 2, headSize);
        AttentionLaunch delta = AttentionPlan.BackwardDelta(a), queries = AttentionPlan.BackwardQueries(a),
            keys = AttentionPlan.BackwardKeys(a);
        Assert.Equal(
            (nameof(TensorCoreAttention.BackwardDelta), 3 * 4, 10),
            (AttentionPlan.Kernels[delta.KernelIndex].Name, delta.GroupsX, delta.GroupsY));
        Assert.Equal(
            ("BackwardQueries" + size, 3 * 4, queryGroups),
            (AttentionPlan.Kernels[queries.KernelIndex].Name, queries.GroupsX, queries.GroupsY));
        Assert.Equal(
            ("BackwardKeys" + size, 3 * 2, keyGroups),
            (AttentionPlan.Kernels[keys.KernelIndex].Name, keys.GroupsX, keys.GroupsY));
        Assert.Equal(3 * 4 * 150 * sizeof(float), AttentionPlan.WorkspaceBytes(a));
    }

    [Fact]
    public void Slots_AreTheArgumentsAsTheyLie()
    {
        AttentionArguments a = Arguments(3, 150, 4, 2, 64);
        ReadOnlySpan<long> slots = AttentionPlan.Slots(a);
        Assert.Equal(a.Q.Address, slots[0]);
        Assert.Equal(a.Draws, slots[(8 * 24 + 5 * 8) / 8]);
        Assert.Equal(Unsafe.SizeOf<AttentionArguments>(), 8 * slots.Length);
    }

    private static AttentionArguments Arguments(int batch, int tokens, int heads, int keyHeads, int headSize)
    {
        AttentionArguments a =
            AttentionArguments.Of((batch, tokens, heads, headSize), (batch, tokens, keyHeads, headSize), 0.1f, 2);
        var x = new DeviceHeads(1 << 20, tokens * heads * headSize, heads * headSize, headSize);
        (a.Q, a.K, a.V, a.Output, a.DOutput, a.Dq, a.Dk, a.Dv) = (x, x, x, x, x, x, x, x);
        return a;
    }
}
