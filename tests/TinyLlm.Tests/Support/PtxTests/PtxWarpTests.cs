using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>What lanes of a warp exchange, and asynchronous copies.</summary>
public sealed class PtxWarpTests
{
    /// <summary>The results of 32 lanes, whose values are 100 + lane in %r0.</summary>
    private static int[] Lanes(string body, int threads = 32) =>
        PtxText.Run($"add.u32 %r0, %lane, 100; {body} st.global.u32 [%at], %r1;", threads, new int[threads]);

    private static IEnumerable<int> Expected(Func<int, int> lane) => Enumerable.Range(0, 32).Select(lane);

    [Fact]
    public void Shuffle_InAllModes()
    {
        Assert.Equal(Expected(n => 100 + (n + 5 <= 31 ? n + 5 : n)), Lanes("shfl.sync.down.b32 %r1, %r0, 5, 31, -1;"));
        Assert.Equal(Expected(n => 100 + (n - 5 >= 0 ? n - 5 : n)), Lanes("shfl.sync.up.b32 %r1, %r0, 5, 0, -1;"));
        Assert.Equal(Expected(n => 100 + (n ^ 9)), Lanes("shfl.sync.bfly.b32 %r1, %r0, 9, 31, -1;"));
        Assert.Equal(Expected(_ => 117), Lanes("shfl.sync.idx.b32 %r1, %r0, 17, 31, -1;"));
        Assert.Equal(
            Expected(n => 100 + (31 - n)), Lanes("sub.u32 %r2, 31, %lane; shfl.sync.idx.b32 %r1, %r0, %r2, 31, -1;"));
    }

    /// <summary>The clamp's upper part cuts the warp into segments, here of eight lanes (0x18).</summary>
    [Fact]
    public void Shuffle_StaysInItsSegmentAndSaysSo()
    {
        Assert.Equal(
            Expected(n => 100 + (n % 8 + 3 < 8 ? n + 3 : n)), Lanes("shfl.sync.down.b32 %r1, %r0, 3, 0x181F, -1;"));
        Assert.Equal(
            Expected(n => n % 8 + 3 < 8 ? 1 : 0),
            Lanes("shfl.sync.down.b32 %r1|%p0, %r0, 3, 0x181F, -1; selp.u32 %r1, 1, 0, %p0;"));
        Assert.Equal(
            Expected(n => n % 8 - 3 >= 0 ? 1 : 0),
            Lanes("shfl.sync.up.b32 %r1|%p0, %r0, 3, 0x1800, -1; selp.u32 %r1, 1, 0, %p0;"));
        Assert.Equal(Expected(n => 100 + n / 8 * 8 + 2), Lanes("shfl.sync.idx.b32 %r1, %r0, 2, 0x181F, -1;"));
    }

    [Fact]
    public void Shuffle_AmongSomeLanesTakesThem()
    {
        Assert.Equal(
            Expected(n => n < 4 ? 103 - n : 0),
            Lanes("mov.u32 %r1, 0; setp.lt.u32 %p0, %lane, 4; @%p0 shfl.sync.bfly.b32 %r1, %r0, 3, 31, 15;"));
        Assert.Contains("not in its own member mask",
            Assert.Throws<PtxException>(() => Lanes("shfl.sync.idx.b32 %r1, %r0, 0, 31, 15;")).Message);
    }

    [Fact]
    public void Votes()
    {
        Assert.Equal(Expected(_ => 0x3FF), Lanes("setp.lt.u32 %p0, %lane, 10; vote.sync.ballot.b32 %r1, %p0, -1;"));
        Assert.Equal(Expected(_ => ~0x3FF), Lanes("setp.lt.u32 %p0, %lane, 10; vote.sync.ballot.b32 %r1, !%p0, -1;"));
        Assert.Equal(Expected(_ => 0b010), Lanes("""
            setp.lt.u32 %p0, %lane, 10;
            vote.sync.all.pred %p1, %p0, -1; selp.u32 %r1, 1, 0, %p1;
            vote.sync.any.pred %p1, %p0, -1; selp.u32 %r2, 2, 0, %p1; or.b32 %r1, %r1, %r2;
            vote.sync.uni.pred %p1, %p0, -1; selp.u32 %r2, 4, 0, %p1; or.b32 %r1, %r1, %r2;
            """));
    }

    [Fact]
    public void ReductionsMatchesAndElections()
    {
        Assert.Equal(Expected(_ => 32 * 100 + 31 * 16), Lanes("redux.sync.add.u32 %r1, %r0, -1;"));
        Assert.Equal(Expected(_ => 131), Lanes("redux.sync.max.s32 %r1, %r0, -1;"));
        Assert.Equal(Expected(_ => 0xFF), Lanes("redux.sync.or.b32 %r1, %r0, -1;"));
        Assert.Equal(
            Expected(n => 0x01010101 << n % 8), Lanes("and.b32 %r2, %lane, 7; match.any.sync.b32 %r1, %r2, -1;"));
        Assert.Equal(Expected(_ => 0), Lanes("match.all.sync.b32 %r1|%p0, %lane, -1;"));
        Assert.Equal(Expected(n => n == 0 ? 1 : 0), Lanes("elect.sync %r2|%p0, -1; selp.u32 %r1, 1, 0, %p0;"));
        Assert.Equal(
            Expected(n => n < 7 ? 0x7F : 0),
            Lanes("mov.u32 %r1, 0; setp.lt.u32 %p0, %lane, 7; @%p0 activemask.b32 %r1;"));
        Assert.Equal(Expected(n => (int)((1u << n) - 1)), Lanes("mov.u32 %r1, %lanemask_lt;"));
    }

    /// <summary>Copies the thread's value by cp.async and reads it back after what stands between.</summary>
    private static float[] Copy(string between, bool watched, string size = "4") => PtxText.Run($"""
        setp.lt.u32 %p0, %thread, 16;
        shl.b32 %r0, %thread, 2;
        mov.u32 %r1, tile;
        add.u32 %r0, %r0, %r1;
        cp.async.ca.shared.global [%r0], [%at], {size};
        cp.async.commit_group;
        {between}
        ld.shared.f32 %f0, [%r0];
        st.global.f32 [%at+128], %f0;
        """, 32, Enumerable.Range(0, 64).Select(n => (float)n).ToArray(), 128, watched)[32..];

    [Fact]
    public void AsyncCopy_ComesWithItsWait()
    {
        float[] source = Enumerable.Range(0, 32).Select(n => (float)n).ToArray();
        Assert.Equal(source, Copy("cp.async.wait_group 0;", true));
        Assert.Equal(source, Copy("cp.async.wait_all;", true));
        Assert.All(Copy("", false), v => Assert.Equal(float.NaN, v));
        Assert.All(Copy("cp.async.wait_group 1;", false), v => Assert.Equal(float.NaN, v));
        Assert.Contains("while an asynchronous copy", Assert.Throws<PtxException>(() => Copy("", true)).Message);
    }

    [Fact]
    public void AsyncCopy_FillsUpWithZeros()
    {
        Assert.All(Copy("cp.async.wait_all;", true, "4, 0"), v => Assert.Equal(0, v));
        Assert.All(Copy("cp.async.wait_all;", true, "4, %p0").Zip(Enumerable.Range(0, 32)),
            pair => Assert.Equal(pair.Second < 16 ? 0 : pair.Second, pair.First));
        // Two bytes of 1.0f (0x3F800000) are its lower half, and zero.
        Assert.Equal(0, Copy("cp.async.wait_all;", true, "4, 2")[1]);
    }

    [Fact]
    public void AsyncCopy_GroupsComeInOrder()
    {
        var values = PtxText.Run("""
            cp.async.cg.shared.global [tile], [%data], 16; cp.async.commit_group;
            cp.async.cg.shared.global [tile+16], [%data+16], 16; cp.async.commit_group;
            cp.async.cg.shared.global [tile+32], [%data+32], 16; cp.async.commit_group;
            cp.async.wait_group 1;
            ld.shared.v2.u32 {%r0, %r1}, [tile];
            ld.shared.u32 %r1, [tile+16];
            ld.shared.u32 %r2, [tile+32];
            st.global.u32 [%data], %r0;
            st.global.u32 [%data+4], %r1;
            st.global.u32 [%data+8], %r2;
            """, 1, Enumerable.Range(1, 12).ToArray(), 64, watchesSharedMemory: false);
        Assert.Equal([1, 5, -1], values[..3]);
    }

    [Fact]
    public void AsyncCopy_OutOfBoundsOrMisaligned()
    {
        Assert.Contains(
            "not in global memory",
            Assert.Throws<PtxException>(
                () => PtxText.Run("cp.async.cg.shared.global [tile], [%data+64], 16;", 1, new int[16], 64)).Message);
        Assert.Contains(
            "not in shared memory",
            Assert.Throws<PtxException>(
                () => PtxText.Run("cp.async.cg.shared.global [tile+64], [%data], 16;", 1, new int[16], 64)).Message);
        Assert.Contains(
            "not a multiple of 16",
            Assert.Throws<PtxException>(
                () => PtxText.Run("cp.async.cg.shared.global [tile], [%data+4], 16, 8;", 1, new int[16], 64)).Message);
        // What lies behind the source's bytes is not read.
        PtxText.Run("cp.async.cg.shared.global [tile], [%data+48], 16, 0; cp.async.cg.shared.global [tile+16], "
            + "[%data+64], 16, 0; cp.async.wait_all;", 1, new int[16], 64);
    }

    /// <summary>A tile that other warps still read must not be copied over.</summary>
    [Fact]
    public void AsyncCopy_IntoATileInUseIsFound()
    {
        string Body(string barrier) => $"""
            shl.b32 %r0, %thread, 2;
            mov.u32 %r1, tile;
            add.u32 %r0, %r0, %r1;
            st.shared.u32 [%r0], %thread;
            bar.sync 0;
            ld.shared.u32 %r2, [tile];
            {barrier}
            cp.async.ca.shared.global [%r0], [%at], 4;
            cp.async.wait_all;
            """;
        PtxText.Run(Body("bar.sync 0;"), 64, new int[64], 256);
        Assert.Contains(
            "without a barrier",
            Assert.Throws<PtxException>(() => PtxText.Run(Body(""), 64, new int[64], 256)).Message);
    }

    /// <summary>One thread asks for a bulk copy of 256 bytes; all wait for the mbarrier's phase.</summary>
    private static string Bulk(string expected, string wait) => $$"""
            setp.eq.u32 %p0, %thread, 0;
            @%p0 mbarrier.init.shared::cta.b64 [tile], 1;
            fence.mbarrier_init.release.cluster;
            bar.sync 0;
            @!%p0 bra wait;
            mbarrier.arrive.expect_tx.shared::cta.b64 _, [tile], {{expected}};
            cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [tile+128], [%data], 256, [tile];
        wait:
            {{wait}}
            shl.b32 %r0, %thread, 2;
            mov.u32 %r1, tile;
            add.u32 %r0, %r0, %r1;
            ld.shared.u32 %r2, [%r0+128];
            add.u32 %r2, %r2, 1;
            st.global.u32 [%at], %r2;
        """;

    private const string WaitForPhase = "again: mbarrier.try_wait.parity.shared::cta.b64 %p1, [tile], 0; @!%p1 bra "
        + "again;";

    [Fact]
    public void BulkCopy_CompletesOnItsBarrier()
    {
        int[] values = Enumerable.Range(0, 64).ToArray();
        Assert.Equal(values.Select(v => v + 1), PtxText.Run(Bulk("256", WaitForPhase), 64, values, 384));
        Assert.Contains(
            "wait for one another for ever",
            Assert.Throws<PtxException>(() => PtxText.Run(Bulk("512", WaitForPhase), 64, values, 384)).Message);
        Assert.Contains(
            "while an asynchronous copy",
            Assert.Throws<PtxException>(() => PtxText.Run(Bulk("256", ""), 64, values, 384)).Message);
    }

    [Fact]
    public void Mbarrier_CountsArrivalsPhaseByPhase()
    {
        // 64 threads arrive three times; after each phase all see what thread 63 wrote before it arrived.
        var values = PtxText.Run("""
                setp.eq.u32 %p0, %thread, 0;
                @%p0 mbarrier.init.shared.b64 [tile], 64;
                bar.sync 0;
                setp.eq.u32 %p3, %thread, 63;
                mov.u32 %r0, 0;
                mov.u32 %r5, 0;
            loop:
                add.u32 %r1, %r0, 10;
                @%p3 st.shared.u32 [tile+16], %r1;
                mbarrier.arrive.shared.b64 %rd0, [tile];
            wait:
                mbarrier.test_wait.shared.b64 %p1, [tile], %rd0;
                @!%p1 bra wait;
                ld.shared.u32 %r2, [tile+16];
                mad.lo.u32 %r5, %r5, 100, %r2;
                mbarrier.arrive.shared.b64 _, [tile];
                and.b32 %r3, %r0, 0;
            wait2:
                mbarrier.try_wait.parity.shared.b64 %p1, [tile], 1;
                @!%p1 bra wait2;
                add.u32 %r0, %r0, 1;
                setp.lt.u32 %p2, %r0, 3;
                @%p2 bra loop;
                st.global.u32 [%at], %r5;
            """, 64, new int[64], 64);
        Assert.All(values, v => Assert.Equal(101112, v));
        Assert.Contains(
            "no mbarrier was initialised",
            Assert.Throws<PtxException>(
                () => PtxText.Run("mbarrier.arrive.shared.b64 _, [tile];", 1, new int[1], 64)).Message);
        Assert.Contains(
            "2 arrivals",
            Assert.Throws<PtxException>(
                () => PtxText.Run(
                    "mbarrier.init.shared.b64 [tile], 1; mbarrier.arrive.shared.b64 _, [tile], 2;", 1, new int[1],
                    64)).Message);
    }

    [Fact]
    public void GenericAddresses_LeadToTheirWindows()
    {
        var values = PtxText.Run("""
            .local .align 8 .b8 own[16];
            mov.u64 %rd0, own;
            cvta.local.u64 %rd1, %rd0;
            st.u32 [%rd1+4], %thread;
            ld.local.u32 %r0, [own+4];
            mov.u64 %rd2, tile;
            cvta.shared.u64 %rd3, %rd2;
            mul.wide.u32 %rd4, %thread, 4;
            add.u64 %rd3, %rd3, %rd4;
            st.u32 [%rd3], %r0;
            cvta.to.shared.u64 %rd5, %rd3;
            ld.shared.u32 %r1, [%rd5];
            isspacep.shared %p0, %rd3;
            @%p0 add.u32 %r1, %r1, 1000;
            ld.u32 %r2, [%at];
            add.u32 %r1, %r1, %r2;
            st.u32 [%at], %r1;
            """, 32, Enumerable.Repeat(5000, 32).ToArray(), 128);
        Assert.Equal(Expected(n => 6000 + n), values);
    }

    [Theory]
    [InlineData("atom.shared.add.u32 %r1, [tile], 3;", 10, 7, 13)]
    [InlineData("atom.global.exch.b32 %r1, [%data+4], 3;", 10, 10, 3)]
    [InlineData("atom.global.cas.b32 %r1, [%data+4], 10, 3;", 10, 10, 3)]
    [InlineData("atom.global.cas.b32 %r1, [%data+4], 11, 3;", 10, 10, 10)]
    [InlineData("atom.global.min.s32 %r1, [%data+4], -3;", 10, 10, -3)]
    [InlineData("atom.global.max.u32 %r1, [%data+4], -3;", 10, 10, -3)]
    [InlineData("atom.global.and.b32 %r1, [%data+4], 3;", 10, 10, 2)]
    [InlineData("atom.global.or.b32 %r1, [%data+4], 1;", 10, 10, 11)]
    [InlineData("atom.global.xor.b32 %r1, [%data+4], 3;", 10, 10, 9)]
    [InlineData("atom.global.inc.u32 %r1, [%data+4], 10;", 10, 10, 0)]
    [InlineData("atom.global.dec.u32 %r1, [%data+4], 5;", 10, 10, 5)]
    [InlineData(
        "atom.global.add.f32 %f0, [%data+4], 0f3F800000; mov.b32 %r1, %f0;", 0x40000000, 0x40000000, 0x40400000)]
    [InlineData("atom.relaxed.gpu.global.add.noftz.bf16x2 %r1, [%data+4], %r2;", 0x40003F80, 0x40003F80, 0x40404000)]
    public void Atomics_ReturnWhatWasThere(string text, int before, int returned, int after)
    {
        bool shared = text.Contains("tile");
        var values = PtxText.Run($"""
            mov.u32 %r2, 0x3F803F80;
            {(shared ? "mov.u32 %r0, 7; st.shared.u32 [tile], %r0; " : "")}
            {text}
            st.global.u32 [%data], %r1;
            {(shared ? "ld.shared.u32 %r0, [tile]; add.u32 %r0, %r0, 3; st.global.u32 [%data+4], %r0;" : "")}
            """, 1, [0, before], 64);
        Assert.Equal([returned, after], values);
    }
}
