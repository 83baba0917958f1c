using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Launches, memory, control flow and barriers of the PTX machine.</summary>
public sealed class PtxMachineTests
{
    [Fact]
    public void Launch_GivesThreadsAndBlocksTheirPlaces()
    {
        const string Text = """
            .version 8.0 .target sm_80 .address_size 64
            .visible .entry places(.param .u64 y, .param .s32 scale, .param .f32 shift)
            {
                .reg .b32 %r<12>; .reg .b64 %rd<4>; .reg .f32 %f<4>;
                ld.param.u64 %rd0, [y];
                ld.param.s32 %r0, [scale];
                ld.param.f32 %f0, [shift];
                mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %ntid.x; mov.u32 %r4, %ntid.y;
                mov.u32 %r5, %ctaid.x; mov.u32 %r6, %ctaid.y; mov.u32 %r7, %nctaid.x;
                mad.lo.u32 %r8, %r6, %r7, %r5;    // block
                mul.lo.u32 %r9, %r3, %r4;
                mad.lo.u32 %r10, %r2, %r3, %r1;   // thread
                mad.lo.u32 %r8, %r8, %r9, %r10;
                mul.wide.u32 %rd1, %r8, 4;
                add.s64 %rd0, %rd0, %rd1;
                mul.lo.s32 %r8, %r8, %r0;
                cvt.rn.f32.s32 %f1, %r8;
                add.f32 %f1, %f1, %f0;
                st.global.f32 [%rd0], %f1;
                ret;
            }
            """;
        using var machine = new PtxMachine(PtxModule.Parse(Text));
        ulong y = machine.Allocate(4 * 6 * 70);
        machine.Launch("places", (2, 3), (35, 2), 0, y, -3, 0.5f);
        Assert.Equal(Enumerable.Range(0, 6 * 70).Select(n => n * -3 + 0.5f), machine.Download<float>(y, 6 * 70));
    }

    [Fact]
    public void Branches_LoopsAndGuardsDiverge()
    {
        // Each thread adds 1 to its number of steps while it halves its own number.
        var steps = PtxText.Run("""
                mov.u32 %r0, %thread;
                mov.u32 %r1, 0;
            loop:
                setp.eq.u32 %p0, %r0, 0;
                @%p0 bra done;
                shr.u32 %r0, %r0, 1;
                add.u32 %r1, %r1, 1;
                bra.uni loop;
            done:
                and.b32 %r2, %thread, 1;
                setp.ne.u32 %p1, %r2, 0;
                @%p1 add.u32 %r1, %r1, 100;
                @!%p1 add.u32 %r1, %r1, 1000;
                st.global.u32 [%at], %r1;
            """, 50, new int[50]);
        Assert.Equal(
            Enumerable.Range(0, 50).Select(n => (n == 0 ? 0 : (int)Math.Log2(n) + 1) + (n % 2 == 1 ? 100 : 1000)),
            steps);
    }

    [Fact]
    public void Scopes_HideRegistersAndLabels()
    {
        var values = PtxText.Run("""
            mov.u32 %r0, 1;
            { .reg .b32 %r0; mov.u32 %r0, 7; bra skip; mov.u32 %r0, 8; skip: add.u32 %r1, %r0, 0; }
            { .reg .b32 a<2>; mov.u32 a1, 20; bra skip; trap; skip: add.u32 %r1, %r1, a1; }
            add.u32 %r1, %r1, %r0;
            st.global.u32 [%at], %r1;
            """, 1, new int[1]);
        Assert.Equal(28, values[0]);
    }

    [Fact]
    public void Calls_PassParametersAndResults()
    {
        const string Text = """
            .version 8.0 .target sm_80 .address_size 64
            .func (.param .f32 result) weigh(.param .f32 a, .param .align 8 .b8 pair[16]);
            .visible .entry kernel(.param .u64 y)
            {
                .reg .f32 %f<4>; .reg .b64 %rd<4>;
                ld.param.u64 %rd0, [y];
                {
                    .param .f32 a; .param .align 8 .b8 b[16]; .param .f32 r;
                    st.param.f32 [a], 0f40000000;
                    st.param.b64 [b], %rd0;
                    st.param.f32 [b+8], 0f40400000;
                    call.uni (r), weigh, (a, b);
                    ld.param.f32 %f0, [r];
                }
                st.global.f32 [%rd0+4], %f0;
                ret;
            }
            .func (.param .f32 result) weigh(.param .f32 a, .param .align 8 .b8 pair[16])
            {
                .local .align 4 .b8 stack[8];
                .reg .f32 %f<4>; .reg .b64 %rd<4>;
                ld.param.f32 %f0, [a];
                ld.param.u64 %rd0, [pair];
                ld.param.f32 %f1, [pair+8];
                st.local.f32 [stack+4], %f1;
                ld.global.f32 %f2, [%rd0];
                ld.local.f32 %f3, [stack+4];
                fma.rn.f32 %f0, %f0, %f2, %f3;
                st.param.f32 [result], %f0;
                ret;
            }
            """;
        using var machine = new PtxMachine(PtxModule.Parse(Text));
        ulong y = machine.Upload<float>([5, 0]);
        machine.Launch(1, 1, 0, y);
        Assert.Equal(13, machine.Download<float>(y, 2)[1]);
    }

    [Fact]
    public void Barrier_LetsABlockReduce()
    {
        var sums = PtxText.Run("""
                .shared .align 4 .b8 partial[1024];
                .reg .b32 %base, %mine;
                mov.u32 %base, partial;
                shl.b32 %mine, %thread, 2;
                add.u32 %mine, %mine, %base;
                ld.global.f32 %f0, [%at];
                st.shared.f32 [%mine], %f0;
                mov.u32 %r0, 128;
            loop:
                bar.sync 0;
                setp.ge.u32 %p0, %thread, %r0;
                @%p0 bra next;
                shl.b32 %r1, %r0, 2;
                add.u32 %r1, %r1, %mine;
                ld.shared.f32 %f1, [%r1];
                ld.shared.f32 %f0, [%mine];
                add.f32 %f0, %f0, %f1;
                st.shared.f32 [%mine], %f0;
            next:
                shr.u32 %r0, %r0, 1;
                setp.ne.u32 %p0, %r0, 0;
                @%p0 bra loop;
                bar.sync 0;
                ld.shared.f32 %f0, [partial];
                st.global.f32 [%at], %f0;
            """, 256, Enumerable.Range(0, 256).Select(n => (float)n).ToArray());
        Assert.All(sums, sum => Assert.Equal(255 * 128, sum));
    }

    /// <summary>Each thread writes 321 to its place and reads that of thread 63 - n.</summary>
    private static float[] Neighbours(string barrier, bool watched) => PtxText.Run($"""
        shl.b32 %r0, %thread, 2;
        mov.u32 %r1, tile;
        add.u32 %r0, %r0, %r1;
        mov.f32 %f0, 0f43A08000;
        st.shared.f32 [%r0], %f0;
        {barrier}
        xor.b32 %r2, %thread, 63;
        shl.b32 %r2, %r2, 2;
        add.u32 %r2, %r2, %r1;
        ld.shared.f32 %f1, [%r2];
        st.global.f32 [%at], %f1;
        """, 64, new float[64], 256, watched);

    [Fact]
    public void MissingBarrier_ShowsInTheResultsAndToTheWatch()
    {
        Assert.All(Neighbours("bar.sync 0;", true), v => Assert.Equal(321, v));
        Assert.Contains(float.NaN, Neighbours("", false));
        Assert.Contains("without a barrier", Assert.Throws<PtxException>(() => Neighbours("", true)).Message);
        Assert.Contains(
            "without a barrier", Assert.Throws<PtxException>(() => Neighbours("bar.warp.sync -1;", true)).Message);
    }

    [Theory]
    [InlineData("ld.global.f32 %f0, [%data+256];", "not in global memory: 256 bytes into an allocation of 256")]
    [InlineData("st.global.f32 [%data+-4], %f0;", "not in global memory")]
    [InlineData("ld.global.f32 %f0, [%data+2];", "is not a multiple of 4")]
    [InlineData("ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%data+4];", "is not a multiple of 16")]
    [InlineData("mov.u64 %rd0, 0; ld.global.f32 %f0, [%rd0];", "not in global memory: no allocation is there")]
    [InlineData("mov.u32 %r0, tile; ld.shared.f32 %f0, [%r0+128];", "not in shared memory")]
    [InlineData("mov.u32 %r0, 0; ld.shared.f32 %f0, [%r0];", "not in shared memory")]
    [InlineData("div.s32 %r0, %r1, 0;", "divided by zero")]
    [InlineData("trap;", "trapped")]
    public void BadAccess_IsCaughtWithItsThread(string instruction, string message)
    {
        var error = Assert.Throws<PtxException>(
            () => PtxText.Run(
                $"setp.eq.u32 %p0, %thread, 63; @!%p0 bra end; {instruction} end:", 64, new float[64], 128));
        Assert.Contains(message, error.Message);
        Assert.Contains("kernel: ", error.Message);
        Assert.Contains(instruction.Split(';')[^2].Trim(), error.Message);
        Assert.Contains("thread (63, 0, 0) of block (0, 0, 0)", error.Message);
    }

    [Theory]
    [InlineData("frobnicate.b32 %r0, %r1;", "the instruction is not known")]
    [InlineData("add.rz.f32 %f0, %f1, %f2;", "the suffix .rz is not known")]
    [InlineData("add.u32 %r0, %q1, %r2;", "%q1 is not a register")]
    [InlineData("bra nowhere;", "there is no label nowhere")]
    public void UnknownText_IsAnErrorThatShowsIt(string instruction, string message)
    {
        var error = Assert.Throws<PtxException>(() => PtxText.Run(instruction, 1, new int[1]));
        Assert.Contains(message, error.Message);
        Assert.Contains(instruction.TrimEnd(';'), error.Message);
    }

    [Theory]
    // Half a warp goes past an aligned barrier.
    [InlineData("setp.lt.u32 %p0, %lane, 16; @%p0 bra end; bar.sync 0; end: bar.sync 1;", "bar.sync")]
    [InlineData("setp.lt.u32 %p0, %lane, 16; @%p0 shfl.sync.idx.b32 %r0, %r1, 0, 31, -1;", "shfl.sync")]
    public void Divergence_AtACollectiveIsAnErrorThatNamesIt(string body, string instruction)
    {
        // The lanes that leave must not end: barriers count those that are left.
        var error = Assert.Throws<PtxException>(() => PtxText.Run(body + " bar.sync 2;", 32, new int[32]));
        Assert.Contains("wait for one another for ever", error.Message);
        Assert.Contains(instruction, error.Message);
    }

    [Theory]
    [InlineData("bar.warp.sync -1;", true)]
    [InlineData("", false)]
    // a shuffle brings lanes together, but does not order memory.
    [InlineData("shfl.sync.idx.b32 %r9, %r0, 0, 31, -1;", false)]
    public void Watch_KnowsBarriersOfAWarp(string barrier, bool isOrdered)
    {
        string body = $"""
            shl.b32 %r0, %thread, 2;
            mov.u32 %r1, tile;
            add.u32 %r0, %r0, %r1;
            st.shared.u32 [%r0], %thread;
            {barrier}
            xor.b32 %r0, %r0, 4;
            ld.shared.u32 %r2, [%r0];
            st.global.u32 [%at], %r2;
            """;
        if (isOrdered)
            Assert.Equal(Enumerable.Range(0, 64).Select(n => n ^ 1), PtxText.Run(body, 64, new int[64], 256));
        else
        {
            Assert.Contains(
                "without a barrier",
                Assert.Throws<PtxException>(() => PtxText.Run(body, 64, new int[64], 256)).Message);
        }
    }

    /// <summary>Where an mbarrier orders warps, the watch still knows what a warp's lanes do.</summary>
    [Theory]
    [InlineData("bar.warp.sync -1;", true)]
    [InlineData("", false)]
    public void Watch_KeepsToWarpsWhereOtherBarriersAre(string barrier, bool isOrdered)
    {
        string body = $"""
            setp.eq.u32 %p0, %thread, 0;
            @%p0 mbarrier.init.shared.b64 [tile+256], 64;
            bar.sync 0;
            shl.b32 %r0, %thread, 2;
            mov.u32 %r1, tile;
            add.u32 %r0, %r0, %r1;
            st.shared.u32 [%r0], %thread;
            mbarrier.arrive.shared.b64 _, [tile+256];
            wait: mbarrier.test_wait.parity.shared.b64 %p1, [tile+256], 0;
            @!%p1 bra wait;
            xor.b32 %r2, %r0, 128;   // the other warp's, which the mbarrier orders
            ld.shared.u32 %r3, [%r2];
            st.shared.u32 [%r0+512], %r3;
            {barrier}
            xor.b32 %r2, %r0, 4;     // the neighbour's
            ld.shared.u32 %r3, [%r2+512];
            st.global.u32 [%at], %r3;
            """;
        if (isOrdered)
            Assert.Equal(Enumerable.Range(0, 64).Select(n => n ^ 33), PtxText.Run(body, 64, new int[64], 768));
        else
        {
            Assert.Contains(
                "without a barrier",
                Assert.Throws<PtxException>(() => PtxText.Run(body, 64, new int[64], 768)).Message);
        }
    }

    [Fact]
    public void Watch_FindsATileOverwrittenWhileOthersStillReadIt()
    {
        string Body(string barrier) => $"""
            shl.b32 %r0, %thread, 2;
            mov.u32 %r1, tile;
            add.u32 %r0, %r0, %r1;
            st.shared.u32 [%r0], %thread;
            bar.sync 0;
            ld.shared.u32 %r2, [tile+4];
            {barrier}
            st.shared.u32 [%r0], %r2;
            """;
        PtxText.Run(Body("bar.sync 0;"), 64, new int[64], 256);
        Assert.Contains(
            "read it", Assert.Throws<PtxException>(() => PtxText.Run(Body(""), 64, new int[64], 256)).Message);
    }

    [Theory]
    [InlineData("popc.u32", "%r0", 20)]
    [InlineData("and.pred", "%p1", 0)]
    [InlineData("or.pred", "%p1", 1)]
    public void BarrierReductions(string operation, string result, int expected)
    {
        string body = $"""
            mov.u32 %r0, 0;
            setp.lt.u32 %p0, %thread, 20;
            bar.red.{operation} {result}, 0, %p0;
            {(result == "%p1" ? "selp.u32 %r0, 1, 0, %p1;" : "")}
            st.global.u32 [%at], %r0;
            """;
        Assert.All(PtxText.Run(body, 96, new int[96]), v => Assert.Equal(expected, v));
    }

    [Fact]
    public void NamedBarriers_LetProducersArriveAndConsumersWait()
    {
        // Warp 0 waits at barrier 1, where warp 1 only arrives; both are counted.
        var values = PtxText.Run("""
                mov.u32 %r1, tile;
                setp.lt.u32 %p0, %thread, 32;
                @%p0 bra consumer;
                st.shared.u32 [tile], 77;
                bar.arrive 1, 64;
                bra end;
            consumer:
                bar.sync 1, 64;
                ld.shared.u32 %r0, [tile];
                st.global.u32 [%at], %r0;
            end:
            """.Replace("st.shared.u32 [tile], 77;", "setp.eq.u32 %p1, %thread, 32; mov.u32 %r2, 77; @%p1 st.shared.u32 [tile], %r2;"), 64, new int[64], 256, watchesSharedMemory: false);
        Assert.Equal(Enumerable.Repeat(77, 32).Concat(new int[32]), values);
    }

    [Fact]
    public void EndlessLoop_Ends()
    {
        using var machine =
            new PtxMachine(PtxModule.Parse(PtxText.Kernel("loop: bra loop;"))) { InstructionLimit = 100_000 };
        Assert.Contains("has not ended", Assert.Throws<PtxException>(() => machine.Launch(1, 1, 0, 0L)).Message);
    }

    [Theory]
    [InlineData("red.global.add.u32", 64 * 63 / 2)]
    [InlineData("red.global.max.s32", 63)]
    [InlineData("red.add.global.u32", 64 * 63 / 2)] // as ILGPU writes it
    public void Atomics_OfManyBlocksAddUp(string operation, int expected)
    {
        using var machine = new PtxMachine(
            PtxModule.Parse(
                PtxText.Kernel("mov.u32 %r0, %ctaid.x; mov.u32 %r1, %ntid.x; mad.lo.u32 %r0, %r0, %r1, %thread; "
                + $"{operation} [%data], %r0;")));
        ulong data = machine.Upload<int>([0]);
        machine.Launch(8, 8, 0, data);
        Assert.Equal(expected, machine.Download<int>(data, 1)[0]);
    }
}
