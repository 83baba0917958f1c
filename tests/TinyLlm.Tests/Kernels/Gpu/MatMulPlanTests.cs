using System.Reflection;
using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

public sealed class MatMulPlanTests
{
    private static readonly NoMaps noMaps = new();
    private static readonly MatMulDevice hopper = new(90, 132, 232448, 256L << 20),
        ampere = new(80, 108, 166912, 256L << 20);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(16, 16)]
    [InlineData(17, 1)]
    [InlineData(40, 7)]
    public void Groups_TakeEveryTileOnce(int tileRows, int tileColumns)
    {
        var taken = Enumerable.Range(0, tileRows * tileColumns)
            .Select(i => TilePlace.Of(i, 1, 128, 64, 128 * tileRows - 3, 64 * tileColumns - 5, 200, 128)).ToList();
        Assert.All(taken, place => Assert.Equal((128, 200), (place.Depth, place.EndDepth)));
        Assert.All(taken,
            place => Assert.True(
                place.Row % 128 == 0 && place.Row < 128 * tileRows && place.Column % 64 == 0
                && place.Column < 64 * tileColumns));
        Assert.Equal(tileRows * tileColumns, taken.Select(place => (place.Row, place.Column)).Distinct().Count());
    }

    [Theory]
    [InlineData("Forward", 4096, 4096, 4096, "Forward128x256", "WarpgroupForward128x256")]
    [InlineData("BackwardInput", 16384, 768, 3072, "BackwardInput128x256", "WarpgroupBackwardInput128x256")]
    [InlineData("Forward", 64, 64, 64, "Forward64x64", "Forward64x64")]
    public void Kernel_FollowsShapeAndDevice(
        string kind, int rows, int columns, int depth, string onAmpere, string onHopper)
    {
        CheckKernel(onAmpere, MatMulPlan.For(Enum.Parse<MatMulKind>(kind), rows, columns, depth, ampere));
        CheckKernel(onHopper, MatMulPlan.For(Enum.Parse<MatMulKind>(kind), rows, columns, depth, hopper));
        CheckKernel(
            onAmpere, MatMulPlan.For(
                Enum.Parse<MatMulKind>(kind), rows, columns, depth, hopper with { ComputeCapability = 120 }));
    }

    private static void CheckKernel(string expected, MatMulPlan plan)
    {
        Assert.Equal(expected, MatMulPlan.Kernels[plan.KernelIndex].Name);
        Assert.Equal((1, 0L), (plan.Parts, plan.WorkspaceBytes));
    }

    [Fact]
    public void SmallWeightGradients_SplitTheirDepth()
    {
        MatMulPlan plan = MatMulPlan.For(MatMulKind.BackwardWeight, 384, 384, 16384, hopper);
        Assert.InRange(plan.Parts, 4, 32);
        Assert.Equal(plan.Parts * 384L * 384 * 4, plan.WorkspaceBytes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(384 * 384 * 4 * 2)]
    [InlineData(384 * 384 * 4 * 5)]
    public void Workspace_IsRespected(long bytes)
    {
        MatMulPlan plan =
            MatMulPlan.For(MatMulKind.BackwardWeight, 384, 384, 16384, hopper with { WorkspaceBytes = bytes });
        Assert.InRange(plan.WorkspaceBytes, 0, bytes);
        Assert.Equal(bytes > 0, plan.Parts > 1);
    }

    [Theory]
    [InlineData(101376)]
    [InlineData(50 * 1024)]
    public void SharedMemory_IsRespected(int bytes)
    {
        MatMulPlan plan =
            MatMulPlan.For(MatMulKind.Forward, 4096, 4096, 4096, hopper with { SharedBytesOfGroup = bytes });
        Assert.InRange(
            MatMulPlan.Kernels[plan.KernelIndex].GetCustomAttribute<KernelAttribute>()!.DynamicSharedBytes, 1, bytes);
    }

    [Fact]
    public void TooLittleSharedMemory_IsOneLine()
    {
        var error = Assert.Throws<TinyLlmException>(
            () => MatMulPlan.For(MatMulKind.Forward, 64, 64, 64, hopper with { SharedBytesOfGroup = 48 * 1024 }));
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData(64, 8, true)]
    [InlineData(8, 4, false)]
    [InlineData(65, 64, false)]
    [InlineData(0, 8, false)]
    public void Supports_WantsWholeChunks(int n, int k, bool expected) =>
        Assert.Equal(expected, MatMulPlan.Supports(n, k));

    /// <summary>
    /// Parts cover the depth, none is empty, and their kernels' attributes and parameters are what the launch relies
    /// on.
    /// </summary>
    [Fact]
    public void Parts_AreNeverEmpty()
    {
        for (int depth = 1; depth < 3000; depth += 37)
        {
            MatMulPlan plan = MatMulPlan.For(MatMulKind.BackwardWeight, 64, 64, depth, hopper);
            var slots = new long[MatMulPlan.MaxSlots];
            int depthOfPart = (int)plan.Arguments(slots, default, 0, noMaps)[^2];
            Assert.Equal(0, depthOfPart % SharedTile.Depth);
            Assert.InRange(depth, (plan.Parts - 1) * depthOfPart + 1, plan.Parts * depthOfPart);
        }
    }

    private static readonly Dictionary<string, IMatMulTile> tiles = new()
    {
        ["128x256"] = new Tile128x256(),
        ["128x128"] = new Tile128x128(),
        ["64x64"] = new Tile64x64(),
        ["Warpgroup128x256"] = new WarpgroupTile128x256(),
        ["Warpgroup128x128"] = new WarpgroupTile128x128(),
    };

    [Fact]
    public void Kernels_AreMarkedAsTheyAreLaunched()
    {
        foreach (MethodInfo kernel in MatMulPlan.Kernels)
        {
            var traits = kernel.GetCustomAttribute<KernelAttribute>()!;
            IMatMulTile? tile = tiles.GetValueOrDefault(
                kernel.Name.Replace("Forward", "").Replace("BackwardInput", "").Replace("BackwardWeight", ""));
            bool usesWarpgroups = tile is { UsesWarpgroups: true };
            Assert.Equal(
                tile is null ? TensorCoreMatMul.PartThreads
                : MatMulShape.Threads(tile) + (usesWarpgroups ? 128 : 0), traits.GroupSize);
            Assert.Equal(tile is null ? 0 : MatMulShape.SharedBytes(tile), traits.DynamicSharedBytes);
            Assert.Equal(usesWarpgroups ? 90 : 80, traits.ComputeCapability);
            Assert.InRange(CudaFunction.SlotsOf(kernel)[^1] + 1, 1, MatMulPlan.MaxSlots);
        }
    }

    [Fact]
    public void Plans_AllocateNothing()
    {
        Span<long> slots = stackalloc long[MatMulPlan.MaxSlots];
        Plan(slots);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Plan(slots);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Plan(Span<long> slots)
    {
        MatMulPlan plan = MatMulPlan.For(MatMulKind.BackwardWeight, 384, 384, 16384, hopper);
        plan.Arguments(slots, default, 0, noMaps);
        plan.PartArguments(slots, default, 0);
    }

    private sealed class NoMaps : ITensorMaps
    {
        public void Describe(Span<long> map, long matrix, int rows, int columns)
        {
        }
    }
}
