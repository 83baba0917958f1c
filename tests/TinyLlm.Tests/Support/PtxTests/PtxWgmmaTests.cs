using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// wgmma against matrix products, with the layouts of shared memory built from the ISA's pictures of them.
/// </summary>
public sealed class PtxWgmmaTests
{
    private const int M = 64, K = 64;

    /// <summary>
    /// A matrix (count, K) of 16-bit elements as wgmma wants it in shared memory: atoms of eight rows of
    /// <paramref name="Width"/> chunks of 16 bytes, whose chunks are swizzled within their row. Rows go along k
    /// (K-major) or along the other dimension (MN-major).
    /// </summary>
    private sealed record Layout(int Count, int Width, bool IsMnMajor)
    {
        private int AtomBytes => 128 * Width;

        private int Elements => 8 * Width;

        public int Bytes => Count * K * 2;

        /// <summary>The byte of the atom with element (mn, k), the row in it, and the element in that row.</summary>
        private (int Atom, int Row, int Element) Find(int mn, int k) => IsMnMajor
            ? ((mn / Elements * (K / 8) + k / 8) * AtomBytes, k % 8, mn % Elements)
            : ((k / Elements * (Count / 8) + mn / 8) * AtomBytes, mn % 8, k % Elements);

        /// <summary>
        /// 128-byte swizzle: chunk c of row r lies at c xor r; 64-byte: c xor r / 2; 32-byte: c xor r / 4.
        /// </summary>
        public int Place(int mn, int k)
        {
            var (atom, row, element) = Find(mn, k);
            int chunk = element / 8 ^ (Width == 1 ? 0 : row / (8 / Width) % Width);
            return atom + row * 16 * Width + chunk * 16 + element % 8 * 2;
        }

        /// <summary>
        /// The descriptor of the part from k on, of a matrix that starts at a place in shared memory.
        /// </summary>
        public ulong Descriptor(int start, int k)
        {
            var (atom, row, element) = Find(0, k);
            int first = start + atom + row * 16 * Width + element * 2;
            // From one atom to the next: along mn and along k.
            int alongMn = IsMnMajor ? K / 8 * AtomBytes : AtomBytes, alongK = IsMnMajor ? AtomBytes
                : Count / 8 * AtomBytes;
            // Without a swizzle an atom is one chunk wide, and the stride is always the one between groups of eight
            // rows of a K-major matrix, or between chunks along mn.
            (int leading, int stride) = (IsMnMajor, Width) switch
            {
                (false, _) => (alongK, alongMn),
                (true, 1) => (alongK, alongMn),
                (true, _) => (alongMn, alongK),
            };
            ulong mode = Width switch { 1 => 0, 8 => 1, 4 => 2, _ => 3 };
            return (uint)(first >> 4) | (ulong)(uint)(leading >> 4) << 16 | (ulong)(uint)(stride >> 4) << 32
                | mode << 62;
        }

        public byte[] Fill(ushort[] values)
        {
            var bytes = new byte[Bytes];
            for (int mn = 0; mn < Count; mn++)
            {
                for (int k = 0; k < K; k++)
                    BitConverter.TryWriteBytes(bytes.AsSpan(Place(mn, k), 2), values[mn * K + k]);
            }
            return bytes;
        }
    }

    private static string Registers(string prefix, int count, int first = 0) =>
        "{" + string.Join(", ", Enumerable.Range(first, count).Select(n => prefix + n)) + "}";

    /// <summary>All threads copy the bytes that stand at the start of data to shared memory, at 1024.</summary>
    private static string Stage(int bytes) => $"""
            mov.u32 %r50, tile;
            mov.u32 %r51, %thread;
        stage:
            mul.wide.u32 %rd11, %r51, 16;
            add.u64 %rd11, %rd11, %data;
            shl.b32 %r52, %r51, 4;
            add.u32 %r52, %r52, %r50;
            cp.async.cg.shared.global [%r52], [%rd11], 16;
            add.u32 %r51, %r51, 128;
            setp.lt.u32 %p7, %r51, {bytes / 16};
            @%p7 bra stage;
            cp.async.wait_all;
        """;

    private const string Publish = "fence.proxy.async; bar.sync 0; setp.eq.u32 %p5, %thread, %thread; setp.ne.u32 "
        + "%p6, %thread, %thread;";

    /// <summary>Stores D (64, N) behind the staged bytes: row 16 w + g (+ 8), columns 8 j + 2 t.</summary>
    private static string StoreResult(int N, int start)
    {
        var stores = Enumerable.Range(0, N / 8)
            .Select(j => $"st.global.v2.f32 [%rd12+{32 * j}], {{%f{4 * j}, %f{4 * j + 1}}}; st.global.v2.f32 "
                + $"[%rd12+{32 * j + 32 * N}], {{%f{4 * j + 2}, %f{4 * j + 3}}};");
        return $"""
            shr.u32 %r40, %thread, 5;
            shl.b32 %r40, %r40, 4;
            shr.u32 %r41, %lane, 2;
            add.u32 %r40, %r40, %r41;
            mul.lo.u32 %r40, %r40, {4 * N};
            and.b32 %r41, %lane, 3;
            shl.b32 %r41, %r41, 3;
            add.u32 %r40, %r40, %r41;
            cvt.u64.u32 %rd12, %r40;
            add.u64 %rd12, %rd12, %data;
            add.u64 %rd12, %rd12, {start};
            {string.Join("\n", stores)}
            """;
    }

    private static string Multiply(Layout a, Layout b, int step, string accumulate, string type = "bf16", string scales = "1, 1") => $"""
        mov.b64 %rd1, {(long)a.Descriptor(1024, 16 * step)};
        mov.b64 %rd2, {(long)b.Descriptor(1024 + a.Bytes, 16 * step)};
        wgmma.mma_async.sync.aligned.m64n{b.Count}k16.f32.{type}.{type} {Registers("%f", b.Count / 2)}, %rd1, %rd2, {accumulate}, {scales}, {(a.IsMnMajor ? 1 : 0)}, {(b.IsMnMajor ? 1 : 0)};
        """;

    private const string Finish = "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;";

    private static ushort[] Random(int count, int seed, bool bf16) =>
        Array.ConvertAll(new RandomValues(seed).Floats(count), v => bf16 ? BFloat.Round(v) : Binary16.Round(v));

    private static double[] Product(ushort[] a, ushort[] b, int N, bool bf16)
    {
        var product = new double[M * N];
        float Value(ushort bits) => bf16 ? BFloat.ToFloat(bits) : Binary16.ToFloat(bits);
        for (int m = 0; m < M; m++)
        {
            for (int n = 0; n < N; n++)
                product[m * N + n] = Enumerable.Range(0, K).Sum(k => (double)Value(a[m * K + k]) * Value(b[n * K + k]));
        }
        return product;
    }

    private static float[] Run(string body, byte[] staged, int N, int threads = 128)
    {
        using var machine = new PtxMachine(PtxModule.Parse(PtxText.Kernel(body)));
        ulong data = machine.Upload<byte>([.. staged, .. new byte[M * N * 4]]);
        machine.Launch(1, threads, staged.Length, data);
        return machine.Download<float>(data + (ulong)staged.Length, M * N);
    }

    public static TheoryData<int, int, bool, bool, int, string> Layouts()
    {
        var data = new TheoryData<int, int, bool, bool, int, string>();
        foreach (int width in new[] { 1, 2, 4, 8 })
        {
            foreach (var (a, b) in new[] { (false, false), (true, false), (false, true), (true, true) })
                data.Add(width, width, a, b, 64, "bf16");
        }
        data.Add(8, 8, false, false, 256, "bf16");
        data.Add(8, 8, true, true, 128, "f16");
        data.Add(8, 1, false, false, 8, "bf16");
        data.Add(1, 8, true, false, 24, "f16");
        return data;
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Product_OfEveryLayout(int aWidth, int bWidth, bool aIsMnMajor, bool bIsMnMajor, int N, string type)
    {
        bool bf16 = type == "bf16";
        Layout a = new(M, aWidth, aIsMnMajor), b = new(N, bWidth, bIsMnMajor);
        ushort[] aValues = Random(M * K, 1, bf16), bValues = Random(N * K, 2, bf16);
        byte[] staged = [.. a.Fill(aValues), .. b.Fill(bValues)];
        string steps = string.Join(
            "\n", Enumerable.Range(0, K / 16).Select(step => Multiply(a, b, step, step == 0 ? "%p6" : "%p5", type)));
        float[] d = Run(
            Stage(staged.Length) + Publish + "wgmma.fence.sync.aligned;" + steps + Finish
            + StoreResult(N, staged.Length), staged, N);
        Compare.Close("D", Product(aValues, bValues, N, bf16), d, (M, N), 1e-5, 1);
    }

    /// <summary>A from registers, as mma.sync has it: each warp its 16 rows.</summary>
    [Fact]
    public void Product_WithAFromRegisters()
    {
        const int N = 64;
        Layout a = new(M, 1, false), b = new(N, 8, true);
        ushort[] aValues = Random(M * K, 3, true), bValues = Random(N * K, 4, true);
        byte[] staged = [.. Bytes(aValues), .. b.Fill(bValues)];
        string steps = string.Join("\n", Enumerable.Range(0, K / 16).Select(step => $$"""
            ld.global.b32 %r{{4 * step}}, [%rd13+{{32 * step}}];
            ld.global.b32 %r{{4 * step + 1}}, [%rd13+{{32 * step + 8 * 2 * K}}];
            ld.global.b32 %r{{4 * step + 2}}, [%rd13+{{32 * step + 16}}];
            ld.global.b32 %r{{4 * step + 3}}, [%rd13+{{32 * step + 8 * 2 * K + 16}}];
            """));
        string products = string.Join("\n", Enumerable.Range(0, K / 16).Select(step => $"""
            mov.b64 %rd2, {(long)b.Descriptor(1024 + a.Bytes, 16 * step)};
            wgmma.mma_async.sync.aligned.m64n{N}k16.f32.bf16.bf16 {Registers("%f", N / 2)}, {Registers("%r", 4, 4 * step)}, %rd2, {(step == 0 ? "%p6" : "%p5")}, 1, 1, 1;
            """));
        float[] d = Run(Stage(staged.Length) + Publish + $$"""
            shr.u32 %r40, %thread, 5;
            shl.b32 %r40, %r40, 4;
            shr.u32 %r41, %lane, 2;
            add.u32 %r40, %r40, %r41;
            mul.lo.u32 %r40, %r40, {{2 * K}};
            and.b32 %r41, %lane, 3;
            shl.b32 %r41, %r41, 2;
            add.u32 %r40, %r40, %r41;
            cvt.u64.u32 %rd13, %r40;
            add.u64 %rd13, %rd13, %data;
            {{steps}}
            wgmma.fence.sync.aligned;
            {{products}}
            """ + Finish + StoreResult(N, staged.Length), staged, N);
        Compare.Close("D", Product(aValues, bValues, N, true), d, (M, N), 1e-5, 3);
    }

    /// <summary>A small product in which something is left out or misplaced.</summary>
    private static float[] Small(
        string publish = Publish, string fence = "wgmma.fence.sync.aligned;", string finish = Finish,
        string scales = "1, 1", int threads = 128, bool watched = true, string after = "")
    {
        const int N = 8;
        Layout a = new(M, 8, false), b = new(N, 8, false);
        byte[] staged = [.. a.Fill(Random(M * K, 5, true)), .. b.Fill(Random(N * K, 6, true))];
        string zeros = string.Join("", Enumerable.Range(0, N / 2).Select(n => $"mov.f32 %f{n}, 0f00000000;"));
        string steps =
            string.Join("\n", Enumerable.Range(0, K / 16).Select(step => Multiply(a, b, step, "%p5", scales: scales)));
        using var machine = new PtxMachine(
            PtxModule.Parse(
                PtxText.Kernel(
                    Stage(staged.Length) + publish + zeros + fence + steps + finish + StoreResult(N, staged.Length)
                    + after)))
        {
            WatchesSharedMemory = watched,
        };
        ulong data = machine.Upload<byte>([.. staged, .. new byte[M * N * 4]]);
        machine.Launch(1, threads, staged.Length, data);
        return machine.Download<float>(data + (ulong)staged.Length, M * N);
    }

    private static double[] SmallProduct => Product(Random(M * K, 5, true), Random(8 * K, 6, true), 8, true);

    [Fact]
    public void Scales_Negate()
    {
        Compare.Close("D", SmallProduct, Small(), (M, 8), 1e-5, 5);
        Compare.Close("D", SmallProduct, Small(scales: "-1, -1"), (M, 8), 1e-5, 5);
        Compare.Close("D", [.. SmallProduct.Select(v => -v)], Small(scales: "-1, 1"), (M, 8), 1e-5, 5);
    }

    [Fact]
    public void MissingSteps_AreFound()
    {
        Assert.Contains(
            "fence.proxy.async",
            Assert.Throws<PtxException>(() => Small(publish: Publish.Replace("fence.proxy.async;", ""))).Message);
        Assert.Contains(
            "without a barrier",
            Assert.Throws<PtxException>(() => Small(publish: Publish.Replace("bar.sync 0;", ""))).Message);
        Assert.Contains("no wgmma.fence", Assert.Throws<PtxException>(() => Small(fence: "")).Message);
        Assert.Contains("four warps", Assert.Throws<PtxException>(() => Small(threads: 96)).Message);
        Assert.Contains(
            "wgmma.wait_group",
            Assert.Throws<PtxException>(() => Small(finish: "wgmma.commit_group.sync.aligned;")).Message);
        // Without the wait the accumulators are still what they were.
        Assert.All(Small(
            finish: "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1;",
            after: "wgmma.wait_group.sync.aligned 0;"), v => Assert.Equal(0, v));
    }

    [Fact]
    public void RegisterCounts_ChangeNothing()
    {
        Compare.Close(
            "D", SmallProduct, Small(fence: "setmaxnreg.inc.sync.aligned.u32 232; wgmma.fence.sync.aligned;"), (M, 8),
            1e-5, 5);
        Assert.Throws<PtxException>(
            () => Small(fence: "setmaxnreg.inc.sync.aligned.u32 300; wgmma.fence.sync.aligned;"));
    }

    [Fact]
    public void TileOverwrittenBeforeTheWait_IsFound()
    {
        string overwrite = "wgmma.commit_group.sync.aligned; st.shared.u32 [tile], %thread;" + Finish;
        Assert.Contains(
            "while wgmma may still read it", Assert.Throws<PtxException>(() => Small(finish: overwrite)).Message);
        // Unwatched it shows in the results: -2 has bits of NaN.
        float[] d = Small(
            finish: "wgmma.commit_group.sync.aligned; mov.u32 %r0, -2; st.shared.u32 [tile], %r0;" + Finish,
            watched: false);
        Assert.Contains(float.NaN, d);
    }

    [Fact]
    public void Tf32_HasEightAlongK()
    {
        const int N = 16, Steps = 4;
        var random = new RandomValues(7);
        float[] a = random.Floats(M * 32), b = random.Floats(N * 32);
        // Both K-major with the 128-byte swizzle: a row has 32 elements of 4 bytes, and lies at 128 times its number.
        byte[] Fill(float[] values, int count)
        {
            var bytes = new byte[count * 128];
            for (int row = 0; row < count; row++)
            {
                for (int k = 0; k < 32; k++)
                {
                    BitConverter.TryWriteBytes(
                        bytes.AsSpan(row * 128 + (k / 4 ^ row % 8) * 16 + k % 4 * 4), values[row * 32 + k]);
                }
            }
            return bytes;
        }
        byte[] staged = [.. Fill(a, M), .. Fill(b, N)];
        ulong Descriptor(int start) => (uint)(start >> 4) | 1ul << 16 | 64ul << 32 | 1ul << 62;
        string steps = string.Join("\n", Enumerable.Range(0, Steps).Select(step => $"""
            mov.b64 %rd1, {Descriptor(1024 + 32 * step)};
            mov.b64 %rd2, {Descriptor(1024 + M * 128 + 32 * step)};
            wgmma.mma_async.sync.aligned.m64n{N}k8.f32.tf32.tf32 {Registers("%f", N / 2)}, %rd1, %rd2, {(step == 0 ? "%p6" : "%p5")}, 1, 1;
            """));
        float[] d = Run(
            Stage(staged.Length) + Publish + "wgmma.fence.sync.aligned;" + steps + Finish
            + StoreResult(N, staged.Length), staged, N);
        double Tf32(float v) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFFE000);
        double[] expected = [.. Enumerable.Range(0, M * N)
            .Select(i => Enumerable.Range(0, 32).Sum(k => Tf32(a[i / N * 32 + k]) * Tf32(b[i % N * 32 + k])))];
        Compare.Close("D", expected, d, (M, N), 1e-5, 7);
    }

    private static byte[] Bytes(ushort[] values) =>
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}
