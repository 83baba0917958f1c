using System.Reflection;

namespace TinyLlm.Kernels.Gpu;

/// <summary>The three products of a linear layer.</summary>
internal enum MatMulKind
{
    /// <summary>y = x W^T: C (M, N), A = x (M, K), B = W (N, K).</summary>
    Forward,

    /// <summary>dx = dy W: C (M, K), A = dy (M, N), B = W (N, K).</summary>
    BackwardInput,

    /// <summary>dW = dy^T x: C (N, K), A = dy (M, N), B = x (M, K).</summary>
    BackwardWeight,
}

/// <summary>What the choice of a kernel depends on beside the shape.</summary>
/// <param name="ComputeCapability">Ten times the device's, whose instructions may be used: 80 and up; 90 has some that
/// no other one has.</param>
/// <param name="Multiprocessors">How many there are.</param>
/// <param name="SharedBytesOfGroup">The most shared memory that a group can ask for.</param>
/// <param name="WorkspaceBytes">Device memory for the sums of parts of the depth; 0 to never split it.</param>
internal readonly record struct MatMulDevice(
    int ComputeCapability, int Multiprocessors, int SharedBytesOfGroup, long WorkspaceBytes);

/// <summary>
/// Addresses on the device, multiples of 16, and what to do with the sums. Bias, Addend and Pre are 0 where there is
/// none.
/// </summary>
/// <param name="A">The left operand, bf16.</param>
/// <param name="B">The right operand, bf16.</param>
/// <param name="C">(rows, columns); overwritten.</param>
/// <param name="Bias">(columns) F32.</param>
/// <param name="Addend">Shape and type of C; C itself to accumulate.</param>
/// <param name="Pre">Shape of C, bf16: GELU's argument, written or read.</param>
/// <param name="Output">What becomes of the sums.</param>
internal readonly record struct MatMulCall(
    long A, long B, long C, long Bias, long Addend, long Pre, MatMulOutput Output);

/// <summary>
/// Which of <see cref="TensorCoreMatMul"/>'s kernels computes a product, and how it is launched. It follows from the
/// shape and the device alone, and so do the bits of the result.
/// </summary>
internal readonly struct MatMulPlan
{
    /// <summary>Slots of the arguments of the kernel that has most.</summary>
    public const int MaxSlots = 2 * TensorMap.Slots + 9;

    private const int MaxParts = 32;

    // Estimates in clocks of a multiprocessor: filling the pipeline; a second launch; bytes to and from memory in a
    // clock, of all multiprocessors' shares.
    private const long StartClocks = 2500, LaunchClocks = 4000, BytesInClock = 12;

    // The largest tiles first.
    private static readonly Candidate[] candidates =
    [
        new("Warpgroup{0}128x256", new WarpgroupTile128x256(), 1100),
        new("Warpgroup{0}128x128", new WarpgroupTile128x128(), 640),
        new("{0}128x256", new Tile128x256(), 1650),
        new("{0}128x128", new Tile128x128(), 860),
        new("{0}64x64", new Tile64x64(), 400),
    ];

    private readonly int rows, columns, depth, depthOfPart;

    private MatMulPlan(int kernel, int parts, int rows, int columns, int depth, int multiprocessors)
    {
        (this.rows, this.columns, this.depth, depthOfPart) = (rows, columns, depth, DepthOfPart(depth, parts));
        (KernelIndex, Parts) = (kernel, parts);
        int tiles = candidates[kernel % candidates.Length].Tiles(rows, columns);
        (GridX, GridY) = UsesWarpgroups ? (Math.Min(tiles * parts, multiprocessors), 1) : (tiles, parts);
    }

    /// <summary>
    /// All kernels that a plan may name, each to be compiled when first needed: for each kind those of all tiles, then
    /// <see cref="TensorCoreMatMul.AddParts"/>.
    /// </summary>
    public static IReadOnlyList<MethodInfo> Kernels { get; } =
    [
        .. from kind in Enum.GetNames<MatMulKind>()
           from candidate in candidates
           select FindKernel(string.Format(candidate.Name, kind)),
        FindKernel(nameof(TensorCoreMatMul.AddParts)),
    ];

    /// <summary>Place in <see cref="Kernels"/> of the one that adds the parts of a depth.</summary>
    public static int AddPartsIndex => Kernels.Count - 1;

    /// <summary>Place in <see cref="Kernels"/> of the product's.</summary>
    public int KernelIndex { get; }

    /// <summary>
    /// First dimension of the grid: the tiles of C, or as many groups as the device runs at once, which take them in
    /// turn.
    /// </summary>
    public int GridX { get; }

    /// <summary>Second dimension of the grid.</summary>
    public int GridY { get; }

    /// <summary>
    /// Parts of the depth, whose sums <see cref="TensorCoreMatMul.AddParts"/> adds if there are several.
    /// </summary>
    public int Parts { get; }

    /// <summary>First dimension of the grid of <see cref="TensorCoreMatMul.AddParts"/>.</summary>
    public int PartGroups => Ceiling(rows, TensorCoreMatMul.PartRows) * Ceiling(columns, TensorCoreMatMul.PartColumns);

    /// <summary>Bytes of device memory that the parts' sums take.</summary>
    public long WorkspaceBytes => Parts == 1 ? 0 : PartBytes(Parts, rows, columns);

    /// <summary>
    /// Whether the kernels take a linear layer of (N, K) weights: copies and stores are 16 bytes wide, so that both
    /// must be multiples of 8. There may be any number of rows.
    /// </summary>
    public static bool Supports(int n, int k) =>
        n > 0 && k > 0 && n % SharedTile.ChunkElements == 0 && k % SharedTile.ChunkElements == 0;

    /// <summary>
    /// The plan for C (rows, columns) summed over the depth, which <see cref="Supports"/> allows. Allocates nothing.
    /// </summary>
    public static MatMulPlan For(MatMulKind kind, int rows, int columns, int depth, MatMulDevice device)
    {
        var (best, bestParts, bestClocks) = (0, 0, long.MaxValue);
        for (int i = 0; i < candidates.Length; i++)
        {
            if (!candidates[i].RunsOn(device))
                continue;
            for (int parts = 1; parts <= MaxParts; parts++)
            {
                // Parts are whole tiles deep, so that not every number of them is possible.
                if (parts > 1
                    && (PartBytes(parts, rows, columns) > device.WorkspaceBytes
                        || Ceiling(depth, DepthOfPart(depth, parts)) != parts))
                    continue;
                long clocks = Clocks(candidates[i], rows, columns, depth, parts, device.Multiprocessors);
                if (clocks < bestClocks)
                    (best, bestParts, bestClocks) = (i, parts, clocks);
            }
        }

        if (bestParts == 0)
        {
            throw new TinyLlmException($"MatMul: a group of the device has {device.SharedBytesOfGroup} bytes of "
                + $"shared memory; the tensor core kernels need {candidates[^1].SharedBytes}.");
        }

        return new MatMulPlan(
            (int)kind * candidates.Length + best, bestParts, rows, columns, depth, device.Multiprocessors);
    }

    /// <summary>
    /// The plan with a kernel (its place in <see cref="Kernels"/>) and a number of parts of the caller's choice, for
    /// tests and measurements.
    /// </summary>
    public static MatMulPlan With(int kernel, int parts, int rows, int columns, int depth, int multiprocessors) =>
        new(kernel, parts, rows, columns, depth, multiprocessors);

    /// <summary>
    /// Writes the arguments of the product's kernel to <paramref name="slots"/>; <paramref name="workspace"/> is the
    /// address of <see cref="WorkspaceBytes"/>,
    /// <paramref name="maps"/> makes the descriptions that kernels of compute capability 9.0 want.
    /// </summary>
    public ReadOnlySpan<long> Arguments(Span<long> slots, in MatMulCall call, long workspace, ITensorMaps maps)
    {
        int operands = 2;
        if (UsesWarpgroups)
        {
            DescribeOperands(slots, call, maps);
            operands = 2 * TensorMap.Slots;
        }
        else
        {
            (slots[0], slots[1]) = (call.A, call.B);
        }

        ReadOnlySpan<long> others = Parts == 1
            ? [call.C, call.Bias, call.Addend, call.Pre, rows, columns, depth, depthOfPart, (int)call.Output]
            : [workspace, 0, 0, 0, rows, columns, depth, depthOfPart, (int)MatMulOutput.F32];
        others.CopyTo(slots[operands..]);
        return slots[..(operands + others.Length)];
    }

    /// <summary>Writes the arguments of <see cref="TensorCoreMatMul.AddParts"/> to <paramref name="slots"/>.</summary>
    public ReadOnlySpan<long> PartArguments(Span<long> slots, in MatMulCall call, long workspace)
    {
        ReadOnlySpan<long> values =
            [workspace, call.C, call.Bias, call.Addend, call.Pre, Parts, rows, columns, (int)call.Output];
        values.CopyTo(slots);
        return slots[..values.Length];
    }

    private MatMulKind Kind => (MatMulKind)(KernelIndex / candidates.Length);

    private bool UsesWarpgroups => candidates[KernelIndex % candidates.Length].UsesWarpgroups;

    private void DescribeOperands(Span<long> slots, in MatMulCall call, ITensorMaps maps)
    {
        if (Kind == MatMulKind.BackwardWeight)
            maps.Describe(slots, call.A, depth, rows);
        else
            maps.Describe(slots, call.A, rows, depth);
        if (Kind == MatMulKind.Forward)
            maps.Describe(slots[TensorMap.Slots..], call.B, columns, depth);
        else
            maps.Describe(slots[TensorMap.Slots..], call.B, depth, columns);
    }

    // The multiprocessors take equal shares of the tiles of C, and go through the depth of one after the other.
    private static long Clocks(Candidate candidate, int rows, int columns, int depth, int parts, int multiprocessors)
    {
        long share = ((long)candidate.Tiles(rows, columns) * parts + multiprocessors - 1) / multiprocessors;
        long clocks = StartClocks
            + share * (candidate.TileClocks * (DepthOfPart(depth, parts) / SharedTile.Depth) + candidate.StoreClocks);
        return parts == 1 ? clocks
            : clocks + LaunchClocks + 2 * PartBytes(parts, rows, columns) / (BytesInClock * multiprocessors);
    }

    private static int DepthOfPart(int depth, int parts) =>
        Ceiling(Ceiling(depth, SharedTile.Depth), parts) * SharedTile.Depth;

    private static long PartBytes(int parts, int rows, int columns) => (long)parts * rows * columns * sizeof(float);

    private static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;

    private static MethodInfo FindKernel(string name) =>
        typeof(TensorCoreMatMul).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException($"There is no kernel {name}.");

    /// <summary>A tile's kernels by name and what they need and cost.</summary>
    private sealed class Candidate(string name, IMatMulTile tile, long tileClocks)
    {
        /// <summary>Of the kernel, {0} standing for the kind.</summary>
        public string Name => name;

        public int SharedBytes { get; } = MatMulShape.SharedBytes(tile);

        /// <summary>Clocks of a multiprocessor, as estimated for H100, for a tile of the depth.</summary>
        public long TileClocks => tileClocks;

        /// <summary>Clocks to store the sums.</summary>
        public long StoreClocks { get; } = tile.Rows * tile.Columns / 10;

        public bool UsesWarpgroups { get; } = tile.UsesWarpgroups;

        public bool RunsOn(MatMulDevice device) =>
            SharedBytes <= device.SharedBytesOfGroup && (!UsesWarpgroups || device.ComputeCapability == 90);

        public int Tiles(int rows, int columns) => Ceiling(rows, tile.Rows) * Ceiling(columns, tile.Columns);
    }
}
