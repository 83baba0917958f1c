using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// mma.sync, ldmatrix and stmatrix against matrix products, with the fragments' places written down from the PTX ISA.
/// </summary>
public sealed class PtxTensorCoreTests
{
    private const int M = 16, N = 8;

    private static ushort[] Halves(float[] values, bool bf16) =>
        Array.ConvertAll(values, v => bf16 ? BFloat.Round(v) : Binary16.Round(v));

    private static float[] Floats(ushort[] values, bool bf16) =>
        Array.ConvertAll(values, v => bf16 ? BFloat.ToFloat(v) : Binary16.ToFloat(v));

    /// <summary>C + A B with A (M, K) row by row and B (K, N) column by column.</summary>
    private static double[] Product(float[] a, float[] b, float[] c, int K)
    {
        var d = new double[M * N];
        for (int m = 0; m < M; m++)
        {
            for (int n = 0; n < N; n++)
            {
                d[m * N + n] = c[m * N + n];
                for (int k = 0; k < K; k++)
                    d[m * N + n] += (double)a[m * K + k] * b[n * K + k];
            }
        }
        return d;
    }

    /// <summary>
    /// %rd9 = the address of element (g, 2t) of C, whose start is %data + <paramref name="start"/>; (g + 8, 2t) follows
    /// 256 bytes later.
    /// </summary>
    private static string AccumulatorAddress(int start) => $"""
        shr.u32 %r40, %lane, 2;
        and.b32 %r41, %lane, 3;
        shl.b32 %r42, %r40, 5;
        shl.b32 %r43, %r41, 3;
        add.u32 %r42, %r42, %r43;
        cvt.u64.u32 %rd9, %r42;
        add.u64 %rd9, %rd9, %data;
        add.u64 %rd9, %rd9, {start};
        """;

    private const string LoadAccumulators = "ld.global.v2.f32 {%f0, %f1}, [%rd9]; ld.global.v2.f32 {%f2, %f3}, "
        + "[%rd9+256];";
    private const string StoreAccumulators =
        "st.global.v2.f32 [%rd9], {%f4, %f5}; st.global.v2.f32 [%rd9+256], {%f6, %f7};";

    /// <summary>
    /// A and B as the ISA places them, two 16-bit elements a register, loaded from global memory by arithmetic on the
    /// lane's number: A to %r0.. and B to %r4..
    /// </summary>
    private static string FragmentsByLane(int K) => $"""
        shr.u32 %r40, %lane, 2;         // g
        and.b32 %r41, %lane, 3;         // t
        mul.lo.u32 %r42, %r40, {2 * K}; // row g
        shl.b32 %r43, %r41, 2;          // column 2t
        add.u32 %r42, %r42, %r43;
        cvt.u64.u32 %rd9, %r42;
        add.u64 %rd10, %rd9, %data;
        ld.global.b32 %r0, [%rd10];
        ld.global.b32 %r1, [%rd10+{8 * 2 * K}];
        {(K == 16 ? $"ld.global.b32 %r2, [%rd10+16]; ld.global.b32 %r3, [%rd10+{8 * 2 * K + 16}];" : "")}
        add.u64 %rd10, %rd10, {M * K * 2};
        ld.global.b32 %r4, [%rd10];
        {(K == 16 ? "ld.global.b32 %r5, [%rd10+16];" : "")}
        """;

    private static string MultiplyHalves(string type, int K) =>
        $"mma.sync.aligned.m16n8k{K}.row.col.f32.{type}.{type}.f32 {{%f4, %f5, %f6, %f7}}, " +
        (K == 16 ? "{%r0, %r1, %r2, %r3}, {%r4, %r5}" : "{%r0, %r1}, {%r4}") + ", {%f0, %f1, %f2, %f3};";

    [Theory]
    [InlineData("bf16", 16)]
    [InlineData("bf16", 8)]
    [InlineData("f16", 16)]
    [InlineData("f16", 8)]
    public void Mma_OfHalves_IsTheProduct(string type, int K)
    {
        bool bf16 = type == "bf16";
        var random = new RandomValues(1);
        ushort[] a = Halves(random.Floats(M * K), bf16), b = Halves(random.Floats(K * N), bf16);
        float[] c = random.Floats(M * N);
        int start = (M + N) * K * 2;
        float[] d = Run(
            FragmentsByLane(K) + AccumulatorAddress(start) + LoadAccumulators + MultiplyHalves(type, K)
            + StoreAccumulators, a, b, c);
        Compare.Close("D", Product(Floats(a, bf16), Floats(b, bf16), c, K), d, (M, N), 1e-6, 1);
    }

    /// <summary>Halves as accumulators: two elements of a row to a register.</summary>
    [Fact]
    public void Mma_WithHalvesAsAccumulators()
    {
        const int K = 16;
        var random = new RandomValues(2);
        ushort[] a = Halves(random.Floats(M * K), false), b = Halves(random.Floats(K * N), false);
        float[] c = random.Floats(M * N);
        float[] d = Run(FragmentsByLane(K) + AccumulatorAddress((M + N) * K * 2) + LoadAccumulators + """
            cvt.rn.f16x2.f32 %r10, %f1, %f0;
            cvt.rn.f16x2.f32 %r11, %f3, %f2;
            mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r12, %r13}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r10, %r11};
            mov.b32 {%h0, %h1}, %r12; mov.b32 {%h2, %h3}, %r13;
            cvt.f32.f16 %f4, %h0; cvt.f32.f16 %f5, %h1; cvt.f32.f16 %f6, %h2; cvt.f32.f16 %f7, %h3;
            """ + StoreAccumulators, a, b, c);
        Compare.Close("D", Product(Floats(a, false), Floats(b, false), c, K), d, (M, N), 1e-3, 2);
    }

    /// <summary>
    /// tf32: one element a register; a0 (g, t), a1 (g + 8, t), a2 (g, t + 4), a3 (g + 8, t + 4), b0 (t, g), b1 (t + 4,
    /// g).
    /// </summary>
    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public void Mma_OfTf32_DropsTheLowerBits(int K)
    {
        var random = new RandomValues(3);
        float[] a = random.Floats(M * K), b = random.Floats(K * N), c = random.Floats(M * N);
        string registers = K == 8 ? "{%r0, %r1, %r2, %r3}, {%r4, %r5}" : "{%r0, %r1}, {%r4}";
        string body = $$"""
            shr.u32 %r40, %lane, 2;
            and.b32 %r41, %lane, 3;
            mad.lo.u32 %r42, %r40, {{K}}, %r41;
            mul.wide.u32 %rd9, %r42, 4;
            add.u64 %rd10, %rd9, %data;
            ld.global.b32 %r0, [%rd10];
            ld.global.b32 %r1, [%rd10+{{8 * 4 * K}}];
            {{(K == 8 ? $"ld.global.b32 %r2, [%rd10+16]; ld.global.b32 %r3, [%rd10+{8 * 4 * K + 16}];" : "")}}
            add.u64 %rd10, %rd10, {{M * K * 4}};
            ld.global.b32 %r4, [%rd10];
            {{(K == 8 ? "ld.global.b32 %r5, [%rd10+16];" : "")}}
            {{AccumulatorAddress((M + N) * K * 4)}}
            {{LoadAccumulators}}
            mma.sync.aligned.m16n8k{{K}}.row.col.f32.tf32.tf32.f32 {%f4, %f5, %f6, %f7}, {{registers}}, {%f0, %f1, %f2, %f3};
            {{StoreAccumulators}}
            """;
        float[] d = Run(body, a, b, c);
        float Tf32(float v) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFFE000);
        Compare.Close("D", Product(Array.ConvertAll(a, Tf32), Array.ConvertAll(b, Tf32), c, K), d, (M, N), 1e-6, 3);
    }

    /// <summary>
    /// Copies the first 768 bytes of data, which hold A (16, 16) and B's 8 columns of 16, to shared memory.
    /// </summary>
    private const string Stage = """
            mov.u32 %r50, tile;
            mov.u32 %r51, %lane;
        stage:
            mul.wide.u32 %rd11, %r51, 4;
            add.u64 %rd11, %rd11, %data;
            ld.global.b32 %r52, [%rd11];
            shl.b32 %r53, %r51, 2;
            add.u32 %r53, %r53, %r50;
            st.shared.b32 [%r53], %r52;
            add.u32 %r51, %r51, 32;
            setp.lt.u32 %p7, %r51, 192;
            @%p7 bra stage;
            bar.warp.sync -1;
        """;

    /// <summary>
    /// The fragments that ldmatrix loads are those that the ISA places by lane, so that the products agree.
    /// </summary>
    [Fact]
    public void LoadMatrix_GivesTheFragmentsOfMma()
    {
        const int K = 16;
        var random = new RandomValues(4);
        ushort[] a = Halves(random.Floats(M * K), true), b = Halves(random.Floats(K * N), true);
        // A: matrices (rows 0-7, k 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15): lane l points to row l % 16, k 8 (l /
        // 16). B's columns lie as rows of k: matrices k 0-7 and k 8-15; lanes 16 to 31 are not looked at, and point
        // nowhere.
        float[] bits = Run($$"""
            {{Stage}}
            and.b32 %r40, %lane, 15;
            shr.u32 %r41, %lane, 4;
            shl.b32 %r40, %r40, 5;
            shl.b32 %r41, %r41, 4;
            add.u32 %r40, %r40, %r41;
            add.u32 %r40, %r40, %r50;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r40];
            and.b32 %r40, %lane, 7;
            shr.u32 %r41, %lane, 3;
            shl.b32 %r40, %r40, 5;
            shl.b32 %r41, %r41, 4;
            add.u32 %r40, %r40, %r41;
            add.u32 %r40, %r40, %r50;
            setp.ge.u32 %p0, %lane, 16;
            selp.b32 %r40, 0x7FFFFFFF, %r40, %p0;
            ldmatrix.sync.aligned.m8n8.x2.shared::cta.b16 {%r14, %r15}, [%r40+512];
            {{FragmentsByLane(K)}}
            xor.b32 %r0, %r0, %r10; xor.b32 %r1, %r1, %r11; xor.b32 %r2, %r2, %r12; xor.b32 %r3, %r3, %r13; xor.b32 %r4, %r4, %r14; xor.b32 %r5, %r5, %r15;
            or.b32 %r0, %r0, %r1; or.b32 %r0, %r0, %r2; or.b32 %r0, %r0, %r3; or.b32 %r0, %r0, %r4; or.b32 %r0, %r0, %r5;
            st.global.b32 [%at+768], %r0;
            """, a, b, new float[M * N], 768);
        Assert.All(bits[..32], v => Assert.Equal(0u, BitConverter.SingleToUInt32Bits(v)));
    }

    /// <summary>
    /// ldmatrix.trans of B stored with its rows (k) contiguous gives B's fragments, as mma needs them.
    /// </summary>
    [Fact]
    public void LoadMatrix_Transposed_TurnsRowsIntoColumns()
    {
        const int K = 16;
        var random = new RandomValues(5);
        ushort[] a = Halves(random.Floats(M * K), true), columns = Halves(random.Floats(K * N), true),
            rows = new ushort[K * N];
        for (int k = 0; k < K; k++)
        {
            for (int n = 0; n < N; n++)
                rows[k * N + n] = columns[n * K + k];
        }
        float[] c = random.Floats(M * N);
        float[] d = Run($$"""
            {{Stage}}
            {{FragmentsByLane(K)}}
            and.b32 %r40, %lane, 15;
            shl.b32 %r40, %r40, 4;
            add.u32 %r40, %r40, %r50;
            ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r4, %r5}, [%r40+512];
            {{AccumulatorAddress((M + N) * K * 2)}}
            {{LoadAccumulators}}
            {{MultiplyHalves("bf16", K)}}
            {{StoreAccumulators}}
            """, a, rows, c, 768);
        Compare.Close("D", Product(Floats(a, true), Floats(columns, true), c, K), d, (M, N), 1e-6, 5);
    }

    /// <summary>stmatrix puts back what ldmatrix took, with .trans the transposed matrix.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData(".trans", ".trans")]
    [InlineData(".trans", "")]
    [InlineData("", ".trans")]
    public void StoreMatrix_IsTheInverse(string load, string store)
    {
        ushort[] values = Enumerable.Range(0, 64).Select(n => (ushort)(n * 257)).ToArray();
        ushort[] result = PtxText.Run($$"""
            mov.u32 %r50, tile;
            shl.b32 %r0, %lane, 2;
            add.u32 %r0, %r0, %r50;
            ld.global.b32 %r1, [%at];
            st.shared.b32 [%r0], %r1;
            bar.warp.sync -1;
            and.b32 %r2, %lane, 7;
            shl.b32 %r2, %r2, 4;
            add.u32 %r2, %r2, %r50;
            ldmatrix.sync.aligned.m8n8.x1{{load}}.shared.b16 {%r3}, [%r2];
            stmatrix.sync.aligned.m8n8.x1{{store}}.shared.b16 [%r2+128], {%r3};
            bar.warp.sync -1;
            ld.shared.b32 %r1, [%r0+128];
            st.global.b32 [%at], %r1;
            """, 32, values, 256);
        Assert.Equal(load == store ? values : Enumerable.Range(0, 64).Select(n => values[n % 8 * 8 + n / 8]), result);
    }

    [Fact]
    public void Mma_NeedsTheWholeWarp()
    {
        string body = "setp.ge.u32 %p0, %lane, 31; @%p0 ret; " + MultiplyHalves("bf16", 16);
        Assert.Contains(
            "needs all 32 lanes", Assert.Throws<PtxException>(() => PtxText.Run(body, 32, new int[32])).Message);
        body = "setp.ge.u32 %p0, %lane, 31; @%p0 bra end; " + MultiplyHalves("bf16", 16) + " end: bar.sync 0;";
        Assert.Contains("mma.sync", Assert.Throws<PtxException>(() => PtxText.Run(body, 32, new int[32])).Message);
    }

    /// <summary>
    /// Runs a warp over A, B and C, which lie one behind the other, and returns what is then in C's place.
    /// </summary>
    private static float[] Run<T>(string body, T[] a, T[] b, float[] c, int sharedBytes = 0) where T : unmanaged
    {
        using var machine = new PtxMachine(PtxModule.Parse(PtxText.Kernel(body)));
        ulong data = machine.Upload<byte>([.. Bytes(a), .. Bytes(b), .. Bytes(c)]);
        machine.Launch(1, 32, sharedBytes, data);
        return machine.Download<float>(data + (ulong)(Bytes(a).Length + Bytes(b).Length), c.Length);
    }

    private static byte[] Bytes<T>(T[] values)
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}
