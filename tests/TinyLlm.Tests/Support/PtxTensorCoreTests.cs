using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>mma.sync, ldmatrix and stmatrix against matrix products, with the fragments' places written down from the PTX ISA.</summary>
public sealed class PtxTensorCoreTests
{
    private const int M = 16, N = 8;
    private const string Shared = ".extern .shared .align 128 .b8 tile[];";

    /// <summary>Rounds to the format that a kernel reads.</summary>
    private static ushort[] Halves(float[] values, bool bf16) => Array.ConvertAll(values, v => bf16 ? BFloat.Round(v) : Binary16.Round(v));

    private static float[] Floats(ushort[] values, bool bf16) => Array.ConvertAll(values, v => bf16 ? BFloat.ToFloat(v) : Binary16.ToFloat(v));

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

    /// <summary>Elements 2t, 2t + 1 of row g, and of row g + 8, of C at 4 bytes an element: %f0 to %f3 from and to %rd1, which is C's start.</summary>
    private static string Accumulators(string what, string first) => $"""
        shr.u32 %r40, %lane, 2;
        and.b32 %r41, %lane, 3;
        shl.b32 %r42, %r40, 5;
        shl.b32 %r43, %r41, 3;
        add.u32 %r42, %r42, %r43;
        cvt.u64.u32 %rd9, %r42;
        add.u64 %rd9, %rd9, %rd1;
        {(what == "ld" ? $"ld.global.v2.f32 {{{first}0, {first}1}}, [%rd9]; ld.global.v2.f32 {{{first}2, {first}3}}, [%rd9+256];"
            : $"st.global.v2.f32 [%rd9], {{{first}0, {first}1}}; st.global.v2.f32 [%rd9+256], {{{first}2, {first}3}};")}
        """;

    /// <summary>A and B as the ISA places them, two 16-bit elements a register, loaded from global memory by arithmetic on the lane's number.</summary>
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
        string registers = K == 16 ? "{%r0, %r1, %r2, %r3}, {%r4, %r5}" : "{%r0, %r1}, {%r4}";
        string kernel = PtxText.Kernel($"""
            add.u64 %rd1, %data, {(M + N) * K * 2};
            {Accumulators("ld", "%f")}
            {FragmentsByLane(K)}
            mma.sync.aligned.m16n8k{K}.row.col.f32.{type}.{type}.f32 {"{%f4, %f5, %f6, %f7}"}, {registers}, {"{%f0, %f1, %f2, %f3}"};
            {Accumulators("st", "%f1").Replace("%f1", "%f").Replace("{%f0, %f1}", "{%f4, %f5}").Replace("{%f2, %f3}", "{%f6, %f7}")}
            """);
        float[] d = RunOn(kernel, a, b, c);
        Compare.Close("D", Product(Floats(a, bf16), Floats(b, bf16), c, K), d, (M, N), 1e-6, 1);
    }

    private static float[] RunOn(string kernel, ushort[] a, ushort[] b, float[] c, int sharedBytes = 0)
    {
        using var machine = new PtxMachine(PtxModule.Parse(kernel));
        ulong data = machine.Allocate(2 * (a.Length + b.Length) + 4 * c.Length);
        machine.Write<ushort>(data, a);
        machine.Write<ushort>(data + 2 * (ulong)a.Length, b);
        ulong start = data + 2 * (ulong)(a.Length + b.Length);
        machine.Write<float>(start, c);
        machine.Launch(1, 32, sharedBytes, data);
        return machine.Download<float>(start, c.Length);
    }
}
