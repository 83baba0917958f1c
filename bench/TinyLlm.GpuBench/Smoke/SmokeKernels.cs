using ILGPU;
using ILGPU.Runtime.Cuda;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.GpuBench.Smoke;

/// <summary>
/// The smallest kernels that use each feature. Those for CUDA alone take addresses and leave the memory accesses to
/// PTX.
/// </summary>
internal static class SmokeKernels
{
    public const int SharedBytes = 96 << 10, SharedGroup = 256, Rows = 64, Columns = 8, Depth = 16;

    /// <summary>y[i] = 3 i + 1.</summary>
    public static void Line(ArrayView<int> y)
    {
        int i = Grid.GlobalIndex.X;
        if (i < y.IntLength)
            y[i] = 3 * i + 1;
    }

    /// <summary>Fills 96 KB of shared memory with 7 i and copies it out backwards.</summary>
    [Kernel(SharedGroup, DynamicSharedBytes = SharedBytes)]
    public static void Reverse(long to)
    {
        const int count = SharedBytes / sizeof(int);
        var shared = SharedMemory.GetDynamic<int>();
        for (int i = Group.IdxX; i < count; i += SharedGroup)
            shared[i] = 7 * i;

        // barrier: what is read next was written by other threads
        Group.Barrier();
        for (int i = Group.IdxX; i < count; i += SharedGroup)
            CudaAsm.Emit("st.global.b32 [%0], %1;", to + i * (long)sizeof(int), shared[count - 1 - i]);
    }

    /// <summary>c (16, 8) F32 = a (16, 16) b^T, b (8, 16), both bf16 and row-major: one mma.sync by one warp.</summary>
    [Kernel(32, ComputeCapability = 80)]
    public static void MultiplyByWarp(long a, long b, long c)
    {
        LoadRows(a, b, Group.IdxX);
        CudaAsm.Emit(
            "ld.global.b32 b0, [fromB];\n\tld.global.b32 b1, [fromB+16];\n\t" +
            "mov.f32 c0, 0f00000000;\n\tmov.f32 c1, c0;\n\tmov.f32 c2, c0;\n\tmov.f32 c3, c0;\n\t" +
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {c0, c1, c2, c3}, {a0, a1, a2, a3}, {b0, b1}, {c0, "
            + "c1, c2, c3};");
        StoreRows(c, Group.IdxX);
    }

    /// <summary>
    /// c (64, 8) F32 = a (64, 16) b^T, b (8, 16): one wgmma by four warps, each with 16 rows of a in registers. b is in
    /// shared memory as two blocks of 8 rows of 16 bytes, 128 bytes apart.
    /// </summary>
    [Kernel(128, DynamicSharedBytes = Columns * Depth * sizeof(ushort), ComputeCapability = 90)]
    public static void MultiplyByWarpgroup(long a, long b, long c)
    {
        int lane = Group.IdxX % 32, warp = Group.IdxX / 32;
        LoadRows(a + warp * 16L * Depth * sizeof(ushort), b, lane);
        var shared = SharedMemory.GetDynamic<int>();
        if (warp == 0)
        {
            // A lane has two pairs of row lane / 4: of the first and of the second block.
            CudaAsm.Emit("ld.global.b32 b0, [fromB];\n\tld.global.b32 b1, [fromB+16];");
            CudaAsm.Emit("mov.b32 %0, b0;", out int first);
            CudaAsm.Emit("mov.b32 %0, b1;", out int second);
            shared[lane] = first;
            shared[32 + lane] = second;
        }

        // fence: the tensor cores read what ordinary stores wrote; barrier: and other threads
        CudaAsm.Emit("fence.proxy.async.shared::cta;");
        Group.Barrier();
        // A matrix descriptor: the address and, from bits 16 and 32 on, the distance of the blocks, all in units of 16
        // bytes. The predicate says: do not add to c.
        CudaAsm.Emit(
            ".reg .b32 place;\n\t.reg .b64 matrix;\n\t.reg .pred add;\n\tsetp.ne.s32 add, 0, 0;\n\t" +
            "mov.u32 place, __dyn_shared_alloca;\n\tshr.u32 place, place, 4;\n\tcvt.u64.u32 matrix, place;\n\tor.b64 "
            + "matrix, matrix, 0x0000000800080000;\n\t" +
            "wgmma.fence.sync.aligned;\n\t" +
            "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {c0, c1, c2, c3}, {a0, a1, a2, a3}, matrix, add, 1, "
            + "1, 0;\n\t" +
            "wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;");
        StoreRows(c + warp * 16L * Columns * sizeof(float), lane);
    }

    // A lane's elements of a, 16 rows: pairs of rows lane / 4 and lane / 4 + 8, at depths 2 (lane % 4) and 8 further;
    // and where those of b begin.
    private static void LoadRows(long a, long b, int lane)
    {
        long place = lane / 4 * Depth * sizeof(ushort) + lane % 4 * sizeof(int);
        CudaAsm.Emit(
            ".reg .b32 a<4>, b<2>;\n\t.reg .f32 c<4>;\n\t.reg .b64 fromB;\n\t" +
            "ld.global.b32 a0, [%0];\n\tld.global.b32 a1, [%0+256];\n\tld.global.b32 a2, [%0+16];\n\tld.global.b32 "
            + "a3, [%0+272];\n\tmov.b64 fromB, %1;", a + place, b + place);
    }

    // A lane's elements of c: two neighbours in rows lane / 4 and lane / 4 + 8.
    private static void StoreRows(long c, int lane) => CudaAsm.Emit(
        "st.global.v2.f32 [%0], {c0, c1};\n\tst.global.v2.f32 [%0+256], {c2, c3};",
        c + lane / 4 * Columns * sizeof(float) + lane % 4 * 2 * sizeof(float));
}
