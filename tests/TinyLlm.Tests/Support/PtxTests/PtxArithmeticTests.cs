using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Arithmetic, logic, comparisons and conversions with answers known by hand.</summary>
public sealed class PtxArithmeticTests
{
    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>
    /// Runs one thread with a in %r0 and %f0, b in %r1 and %f1, c in %r2 and %f2, and returns %r3, or %f3 where the
    /// text names it.
    /// </summary>
    private static uint Run(string text, uint a, uint b = 0, uint c = 0)
    {
        string result = text.Contains("%f3") ? "mov.b32 %r3, %f3;" : "";
        return PtxText.Run($"""
            ld.global.v4.u32 {"{%r0, %r1, %r2, %r3}"}, [%data];
            ld.global.v2.f32 {"{%f0, %f1}"}, [%data];
            ld.global.f32 %f2, [%data+8];
            {text}
            {result}
            st.global.u32 [%data+12], %r3;
            """, 1, [a, b, c, 0xDEADBEEF])[3];
    }

    /// <summary>The same with 64 bits: %rd0, %rd1, %rd2 and %fd0, %fd1, %fd2 in, %rd3 or %fd3 out.</summary>
    private static ulong Run64(string text, ulong a, ulong b = 0, ulong c = 0)
    {
        string result = text.Contains("%fd3") ? "mov.b64 %rd3, %fd3;" : "";
        return PtxText.Run($"""
            ld.global.v2.u64 {"{%rd0, %rd1}"}, [%data];
            ld.global.u64 %rd2, [%data+16];
            ld.global.v2.f64 {"{%fd0, %fd1}"}, [%data];
            ld.global.f64 %fd2, [%data+16];
            {text}
            {result}
            st.global.u64 [%data+24], %rd3;
            """, 1, [a, b, c, 0xDEADBEEFul])[3];
    }

    [Theory]
    [InlineData("add.u32 %r3, %r0, %r1;", 0xFFFFFFFF, 3, 0, 2)]
    [InlineData("sub.s32 %r3, %r0, %r1;", 1, 3, 0, 0xFFFFFFFE)]
    [InlineData("mul.lo.u32 %r3, %r0, %r1;", 0x10001, 0x10003, 0, 0x00040003)]
    [InlineData("mul.hi.u32 %r3, %r0, %r1;", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFE)]
    [InlineData("mul.hi.s32 %r3, %r0, %r1;", 0xFFFFFFFF, 5, 0, 0xFFFFFFFF)]
    [InlineData("mad.lo.s32 %r3, %r0, %r1, %r2;", 0xFFFFFFFF, 7, 10, 3)]
    [InlineData("mad.hi.u32 %r3, %r0, %r1, %r2;", 0x80000000, 4, 10, 12)]
    [InlineData("mul.wide.s16 %r3, %h0, %h1;", 0xFFFE, 3, 0, 0xFFFFFFFA)]
    [InlineData("mul.wide.u16 %r3, %h0, %h1;", 0xFFFE, 3, 0, 0x0002FFFA)]
    [InlineData("div.s32 %r3, %r0, %r1;", 0xFFFFFFF9, 2, 0, 0xFFFFFFFD)] // -7 / 2 = -3
    [InlineData("div.u32 %r3, %r0, %r1;", 0xFFFFFFF9, 2, 0, 0x7FFFFFFC)]
    [InlineData("div.s32 %r3, %r0, %r1;", 0x80000000, 0xFFFFFFFF, 0, 0x80000000)]
    [InlineData("rem.s32 %r3, %r0, %r1;", 0xFFFFFFF9, 4, 0, 0xFFFFFFFD)] // -7 % 4 = -3
    [InlineData("rem.u32 %r3, %r0, %r1;", 17, 5, 0, 2)]
    [InlineData("abs.s32 %r3, %r0;", 0xFFFFFFF9, 0, 0, 7)]
    [InlineData("abs.s32 %r3, %r0;", 0x80000000, 0, 0, 0x80000000)]
    [InlineData("neg.s32 %r3, %r0;", 5, 0, 0, 0xFFFFFFFB)]
    [InlineData("min.s32 %r3, %r0, %r1;", 0xFFFFFFFF, 1, 0, 0xFFFFFFFF)]
    [InlineData("min.u32 %r3, %r0, %r1;", 0xFFFFFFFF, 1, 0, 1)]
    [InlineData("max.s32 %r3, %r0, -3;", 0xFFFFFFF0, 0, 0, 0xFFFFFFFD)]
    [InlineData("and.b32 %r3, %r0, %r1;", 0b1100, 0b1010, 0, 0b1000)]
    [InlineData("or.b32 %r3, %r0, %r1;", 0b1100, 0b1010, 0, 0b1110)]
    [InlineData("xor.b32 %r3, %r0, %r1;", 0b1100, 0b1010, 0, 0b0110)]
    [InlineData("not.b32 %r3, %r0;", 0x0F0F0F0F, 0, 0, 0xF0F0F0F0)]
    [InlineData("cnot.b32 %r3, %r0;", 0, 0, 0, 1)]
    [InlineData("cnot.b32 %r3, %r0;", 5, 0, 0, 0)]
    [InlineData("shl.b32 %r3, %r0, %r1;", 3, 31, 0, 0x80000000)]
    [InlineData("shl.b32 %r3, %r0, %r1;", 3, 32, 0, 0)]
    [InlineData("shr.u32 %r3, %r0, %r1;", 0x80000000, 31, 0, 1)]
    [InlineData("shr.s32 %r3, %r0, %r1;", 0x80000000, 31, 0, 0xFFFFFFFF)]
    [InlineData("shr.s32 %r3, %r0, %r1;", 0x80000000, 200, 0, 0xFFFFFFFF)]
    [InlineData("shr.b32 %r3, %r0, 4;", 0x80000000, 0, 0, 0x08000000)]
    [InlineData("popc.b32 %r3, %r0;", 0xF00F0001, 0, 0, 9)]
    [InlineData("clz.b32 %r3, %r0;", 0x00010000, 0, 0, 15)]
    [InlineData("clz.b32 %r3, %r0;", 0, 0, 0, 32)]
    [InlineData("bfind.u32 %r3, %r0;", 0x00010000, 0, 0, 16)]
    [InlineData("bfind.u32 %r3, %r0;", 0, 0, 0, 0xFFFFFFFF)]
    [InlineData("brev.b32 %r3, %r0;", 0x80000006, 0, 0, 0x60000001)]
    [InlineData("bfe.u32 %r3, %r0, %r1, %r2;", 0xABCD1234, 8, 12, 0xD12)]
    [InlineData("bfe.s32 %r3, %r0, %r1, %r2;", 0xABCD1234, 8, 12, 0xFFFFFD12)]
    // The field runs over the end: filled up with the sign.
    [InlineData("bfe.s32 %r3, %r0, %r1, %r2;", 0xABCD1234, 24, 12, 0xFFFFFFAB)]
    [InlineData("bfe.s32 %r3, %r0, %r1, %r2;", 0xABCD1234, 8, 0, 0)]
    [InlineData("bfi.b32 %r3, %r0, %r1, 8, 12;", 0xFFFFF5A5, 0x11111111, 0, 0x1115A511)]
    [InlineData("prmt.b32 %r3, %r0, %r1, %r2;", 0x33221100, 0x77665544, 0x7250, 0x77225500)]
    // Bit 3 of a selector spreads the byte's sign.
    [InlineData("prmt.b32 %r3, %r0, %r1, %r2;", 0x00008000, 0, 0x9098, 0xFF00FF00)]
    // Exclusive or of three.
    [InlineData("lop3.b32 %r3, %r0, %r1, %r2, 0x96;", 0b11110000, 0b11001100, 0b10101010, 0b10010110)]
    [InlineData("lop3.b32 %r3, %r0, %r1, %r2, 0xCA;", 0b11110000, 0b11001100, 0b10101010, 0b11001010)] // a ? b : c
    [InlineData("shf.l.wrap.b32 %r3, %r0, %r1, %r2;", 0xAABBCCDD, 0x11223344, 40, 0x223344AA)]
    [InlineData("shf.l.clamp.b32 %r3, %r0, %r1, %r2;", 0xAABBCCDD, 0x11223344, 40, 0xAABBCCDD)]
    [InlineData("shf.r.wrap.b32 %r3, %r0, %r1, %r2;", 0xAABBCCDD, 0x11223344, 8, 0x44AABBCC)]
    [InlineData("shf.r.clamp.b32 %r3, %r0, %r1, %r2;", 0xAABBCCDD, 0x11223344, 99, 0x11223344)]
    [InlineData("slct.b32.s32 %r3, %r0, %r1, %r2;", 1, 2, 0xFFFFFFFF, 2)]
    [InlineData("slct.b32.s32 %r3, %r0, %r1, %r2;", 1, 2, 0, 1)]
    [InlineData("mov.b32 {%h2, %h3}, %r0; mov.b32 %r3, {%h3, %h2};", 0x1111AAAA, 0, 0, 0xAAAA1111)]
    [InlineData(
        "mov.b64 %rd4, {%r0, %r1}; shr.u64 %rd4, %rd4, 16; mov.b64 {%r3, %r4}, %rd4;", 0x1111AAAA, 0x2222BBBB, 0,
        0xBBBB1111)]
    [InlineData("add.f16x2 %r3, %r0, %r1;", 0x3C004000, 0x3C003C00, 0, 0x40004200)] // (1, 2) + (1, 1)
    [InlineData("mul.bf16x2 %r3, %r0, %r1;", 0x3F804000, 0x40404040, 0, 0x404040C0)] // (1, 2) * (3, 3)
    // (1, 2) * (3, 3) + 1.
    [InlineData("fma.rn.bf16x2 %r3, %r0, %r1, %r2;", 0x3F804000, 0x40404040, 0x3F803F80, 0x408040E0)]
    [InlineData("max.bf16x2 %r3, %r0, %r1;", 0x3F80C000, 0xC0403F80, 0, 0x3F803F80)]
    public void Integers(string text, uint a, uint b, uint c, uint expected)
    {
        string halves = text.Contains("%h0") ? "cvt.u16.u32 %h0, %r0; cvt.u16.u32 %h1, %r1;" : "";
        Assert.Equal(expected.ToString("X8"), Run(halves + text, a, b, c).ToString("X8"));
    }

    [Theory]
    [InlineData("add.s64 %rd3, %rd0, %rd1;", ulong.MaxValue, 5ul, 0ul, 4ul)]
    [InlineData("mul.lo.s64 %rd3, %rd0, %rd1;", 0x100000001ul, 0x100000003ul, 0ul, 0x0000000400000003ul)]
    [InlineData("mul.hi.u64 %rd3, %rd0, %rd1;", ulong.MaxValue, ulong.MaxValue, 0ul, ulong.MaxValue - 1)]
    [InlineData("mul.hi.s64 %rd3, %rd0, %rd1;", ulong.MaxValue, 7ul, 0ul, ulong.MaxValue)]
    [InlineData("mad.lo.u64 %rd3, %rd0, 2, %rd1;", 5ul, 7ul, 0ul, 17ul)]
    [InlineData("cvt.u32.u64 %r0, %rd0; mul.wide.u32 %rd3, %r0, 4;", 0x80000001ul, 0ul, 0ul, 0x200000004ul)]
    [InlineData("cvt.u32.u64 %r0, %rd0; mul.wide.s32 %rd3, %r0, 4;", 0xFFFFFFFFul, 0ul, 0ul, 0xFFFFFFFFFFFFFFFCul)]
    [InlineData("cvt.u32.u64 %r0, %rd0; mad.wide.s32 %rd3, %r0, 4, %rd1;", 0xFFFFFFFFul, 100ul, 0ul, 96ul)]
    [InlineData("shl.b64 %rd3, %rd0, 63;", 3ul, 0ul, 0ul, 1ul << 63)]
    [InlineData("shr.s64 %rd3, %rd0, 64;", 1ul << 63, 0ul, 0ul, ulong.MaxValue)]
    [InlineData("bfe.u64 %rd3, %rd0, 60, 20;", 0xF000000000000000ul, 0ul, 0ul, 0xFul)]
    [InlineData("brev.b64 %rd3, %rd0;", 1ul, 0ul, 0ul, 1ul << 63)]
    [InlineData("popc.b64 %r0, %rd0; cvt.u64.u32 %rd3, %r0;", ulong.MaxValue, 0ul, 0ul, 64ul)]
    [InlineData("selp.b64 %rd3, %rd0, %rd1, %p0;", 1ul, 2ul, 0ul, 1ul)]
    public void LongIntegers(string text, ulong a, ulong b, ulong c, ulong expected) =>
        Assert.Equal(expected.ToString("X16"), Run64("setp.eq.u32 %p0, 0, 0;" + text, a, b, c).ToString("X16"));

    [Theory]
    [InlineData("add.f32 %f3, %f0, %f1;", 1.5f, 2.25f, 0f, 3.75f)]
    [InlineData("sub.rn.f32 %f3, %f0, %f1;", 1.5f, 2.25f, 0f, -0.75f)]
    [InlineData("mul.f32 %f3, %f0, 0f40000000;", 1.5f, 0f, 0f, 3f)]
    [InlineData("mul.ftz.f32 %f3, %f0, %f1;", 1e-30f, 1e-10f, 0f, 0f)] // 1e-40 is subnormal
    [InlineData("mul.f32 %f3, %f0, %f1;", 1e-30f, 1e-10f, 0f, 1e-40f)]
    // Rounded twice it would be 0.
    [InlineData("fma.rn.f32 %f3, %f0, %f1, %f2;", 1.00024414f, 1.00024414f, -1.00048828f, 5.9604645e-8f)]
    [InlineData("mad.rn.ftz.f32 %f3, %f0, %f1, %f2;", 1e-30f, 1e-10f, 0f, 0f)]
    [InlineData("add.sat.f32 %f3, %f0, %f1;", 0.75f, 0.5f, 0f, 1f)]
    [InlineData("add.sat.f32 %f3, %f0, %f1;", -0.75f, 0.5f, 0f, 0f)]
    [InlineData("add.sat.f32 %f3, %f0, %f1;", float.NaN, 0.5f, 0f, 0f)]
    [InlineData("div.rn.f32 %f3, %f0, %f1;", 1f, 3f, 0f, 1f / 3)]
    [InlineData("div.full.f32 %f3, %f0, %f1;", 6f, 3f, 0f, 2f)]
    [InlineData("abs.f32 %f3, %f0;", -2f, 0f, 0f, 2f)]
    [InlineData("neg.f32 %f3, %f0;", -2f, 0f, 0f, 2f)]
    [InlineData("min.f32 %f3, %f0, %f1;", float.NaN, 2f, 0f, 2f)]
    [InlineData("max.f32 %f3, %f0, %f1;", 3f, float.NaN, 0f, 3f)]
    [InlineData("max.NaN.f32 %f3, %f0, %f1;", 3f, float.NaN, 0f, float.NaN)]
    [InlineData("sqrt.rn.f32 %f3, %f0;", 2f, 0f, 0f, 1.4142135f)]
    [InlineData("rsqrt.approx.ftz.f32 %f3, %f0;", 4f, 0f, 0f, 0.5f)]
    [InlineData("rcp.approx.f32 %f3, %f0;", 8f, 0f, 0f, 0.125f)]
    [InlineData("ex2.approx.f32 %f3, %f0;", -3f, 0f, 0f, 0.125f)]
    [InlineData("lg2.approx.f32 %f3, %f0;", 32f, 0f, 0f, 5f)]
    [InlineData("sin.approx.f32 %f3, %f0;", 0.5f, 0f, 0f, 0.47942555f)]
    [InlineData("cos.approx.f32 %f3, %f0;", 0.5f, 0f, 0f, 0.87758255f)]
    [InlineData("tanh.approx.f32 %f3, %f0;", 0.5f, 0f, 0f, 0.46211717f)]
    [InlineData("copysign.f32 %f3, %f0, %f1;", -1f, 5f, 0f, -5f)]
    [InlineData("slct.f32.f32 %f3, %f0, %f1, %f2;", 1f, 2f, -0f, 1f)]
    [InlineData("cvt.rni.f32.f32 %f3, %f0;", 2.5f, 0f, 0f, 2f)]
    [InlineData("cvt.rmi.f32.f32 %f3, %f0;", -2.5f, 0f, 0f, -3f)]
    [InlineData("cvt.rpi.f32.f32 %f3, %f0;", 2.1f, 0f, 0f, 3f)]
    [InlineData("cvt.rzi.f32.f32 %f3, %f0;", -2.9f, 0f, 0f, -2f)]
    [InlineData("cvt.sat.f32.f32 %f3, %f0;", 7f, 0f, 0f, 1f)]
    [InlineData("cvt.ftz.f32.f32 %f3, %f0;", 1e-40f, 0f, 0f, 0f)]
    // Half a unit of ten bits: away from zero.
    [InlineData("cvt.rna.tf32.f32 %r3, %f0; mov.b32 %f3, %r3;", 1.0004883f, 0f, 0f, 1.0009766f)]
    public void Floats(string text, float a, float b, float c, float expected) =>
        Assert.Equal(expected, BitConverter.UInt32BitsToSingle(Run(text, Bits(a), Bits(b), Bits(c))));

    [Theory]
    [InlineData("add.f64 %fd3, %fd0, %fd1;", 0.1, 0.2, 0, 0.1 + 0.2)]
    [InlineData("fma.rn.f64 %fd3, %fd0, %fd1, %fd2;", 3, 4, 5, 17)]
    [InlineData("div.rn.f64 %fd3, %fd0, %fd1;", 1, 3, 0, 1.0 / 3)]
    [InlineData("sqrt.rn.f64 %fd3, %fd0;", 2, 0, 0, 1.4142135623730951)]
    [InlineData("mul.f64 %fd3, %fd0, 0d4008000000000000;", 2, 0, 0, 6)]
    [InlineData("cvt.rn.f32.f64 %f0, %fd0; cvt.f64.f32 %fd3, %f0;", 0.1, 0, 0, 0.1f)]
    [InlineData("cvt.rz.f32.f64 %f0, %fd0; cvt.f64.f32 %fd3, %f0;", 0.1, 0, 0, 0.099999994039535522)]
    public void Doubles(string text, double a, double b, double c, double expected) =>
        Assert.Equal(
            expected, BitConverter.UInt64BitsToDouble(
                Run64(text, BitConverter.DoubleToUInt64Bits(a), BitConverter.DoubleToUInt64Bits(b),
                    BitConverter.DoubleToUInt64Bits(c))));

    [Theory]
    [InlineData("eq", 1f, 1f, true)]
    [InlineData("ne", 1f, 2f, true)]
    [InlineData("ne", float.NaN, 2f, false)]
    [InlineData("neu", float.NaN, 2f, true)]
    [InlineData("equ", float.NaN, 2f, true)]
    [InlineData("lt", 1f, float.NaN, false)]
    [InlineData("ltu", 1f, float.NaN, true)]
    [InlineData("ltu", 2f, 1f, false)]
    [InlineData("le", 1f, 1f, true)]
    [InlineData("leu", 2f, 1f, false)]
    [InlineData("gt", 2f, 1f, true)]
    [InlineData("gtu", float.NaN, 1f, true)]
    [InlineData("ge", float.NaN, float.NaN, false)]
    [InlineData("geu", 1f, 1f, true)]
    [InlineData("num", 1f, float.NaN, false)]
    [InlineData("nan", 1f, float.NaN, true)]
    public void FloatComparisons(string comparison, float a, float b, bool expected) =>
        Assert.Equal(
            expected ? 1u : 0, Run($"setp.{comparison}.f32 %p0, %f0, %f1; selp.u32 %r3, 1, 0, %p0;", Bits(a), Bits(b)));

    [Theory]
    [InlineData("setp.lt.s32 %p0, %r0, %r1;", 0xFFFFFFFF, 0, true)]
    [InlineData("setp.lt.u32 %p0, %r0, %r1;", 0xFFFFFFFF, 0, false)]
    [InlineData("setp.hi.u32 %p0, %r0, %r1;", 0xFFFFFFFF, 0, true)]
    [InlineData("setp.ls.u32 %p0, %r0, %r1;", 3, 3, true)]
    [InlineData("setp.hs.u32 %p0, %r0, %r1;", 2, 3, false)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.lt.and.u32 %p0, %r0, %r1, %p1;", 5, 9, true)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.lt.and.u32 %p0, %r0, %r1, !%p1;", 5, 9, false)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.gt.or.u32 %p0, %r0, %r1, %p1;", 5, 9, true)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.lt.xor.u32 %p0, %r0, %r1, %p1;", 5, 9, false)]
    // The second destination: not (5 > 9), and %p1.
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.gt.and.u32 %p2|%p0, %r0, %r1, %p1;", 5, 9, true)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; not.pred %p0, %p1;", 5, 9, false)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.eq.u32 %p2, %r1, 9; and.pred %p0, %p1, %p2;", 5, 9, true)]
    [InlineData("setp.eq.u32 %p1, %r0, 5; setp.eq.u32 %p2, %r1, 9; xor.pred %p0, %p1, %p2;", 5, 9, false)]
    [InlineData("testp.notanumber.f32 %p0, %f0;", 0x7FC00000, 0, true)]
    [InlineData("testp.infinite.f32 %p0, %f0;", 0xFF800000, 0, true)]
    [InlineData("testp.finite.f32 %p0, %f0;", 0xFF800000, 0, false)]
    [InlineData("set.lt.u32.f32 %r5, %f0, %f1; setp.eq.u32 %p0, %r5, -1;", 0x3F800000, 0x40000000, true)]
    [InlineData("set.lt.f32.f32 %f5, %f0, %f1; setp.eq.f32 %p0, %f5, 0f3F800000;", 0x3F800000, 0x40000000, true)]
    public void Predicates(string text, uint a, uint b, bool expected) =>
        Assert.Equal(expected ? 1u : 0, Run(text + "selp.u32 %r3, 1, 0, %p0;", a, b));

    [Theory]
    [InlineData("cvt.u32.u8 %r3, %r0;", 0x1234FFF0, 0xF0)]
    [InlineData("cvt.s32.s8 %r3, %r0;", 0x1234FFF0, 0xFFFFFFF0)]
    [InlineData("cvt.s32.s16 %r3, %r0;", 0x1234FFF0, 0xFFFFFFF0)]
    [InlineData("cvt.u16.u32 %h0, %r0; cvt.u32.u16 %r3, %h0;", 0x1234FFF0, 0xFFF0)]
    // a narrow result fills its register with its sign.
    [InlineData("cvt.s8.s32 %h0, %r0; cvt.s32.s16 %r3, %h0;", 0x80, 0xFFFFFF80)]
    [InlineData("cvt.sat.u8.s32 %r3, %r0;", 300, 255)]
    [InlineData("cvt.sat.u8.s32 %r3, %r0;", 0xFFFFFFFF, 0)]
    [InlineData("cvt.sat.s16.s32 %h0, %r0; cvt.s32.s16 %r3, %h0;", 0x7FFFFFFF, 0x7FFF)]
    [InlineData("cvt.rzi.s32.f32 %r3, %f0;", 0xC039999A, 0xFFFFFFFE)] // -2.9
    [InlineData("cvt.rni.s32.f32 %r3, %f0;", 0x40200000, 2)] // 2.5
    [InlineData("cvt.rmi.s32.f32 %r3, %f0;", 0xC0200000, 0xFFFFFFFD)]
    [InlineData("cvt.rpi.u32.f32 %r3, %f0;", 0x40066666, 3)] // 2.1
    [InlineData("cvt.rzi.u32.f32 %r3, %f0;", 0xBF800000, 0)] // -1 is clamped
    [InlineData("cvt.rzi.s32.f32 %r3, %f0;", 0x7F800000, 0x7FFFFFFF)] // infinity too
    [InlineData("cvt.rzi.s32.f32 %r3, %f0;", 0x7FC00000, 0)] // NaN
    [InlineData("cvt.rn.f32.s32 %f3, %r0;", 0xFFFFFFFF, 0xBF800000)]
    [InlineData("cvt.rn.f32.u32 %f3, %r0;", 0xFFFFFFFF, 0x4F800000)]
    [InlineData("cvt.rz.f32.u32 %f3, %r0;", 0xFFFFFFFF, 0x4F7FFFFF)]
    [InlineData("cvt.rn.f32.u32 %f3, %r0;", 16777217, 0x4B800000)] // a tie, to even
    [InlineData("cvt.rp.f32.u32 %f3, %r0;", 16777217, 0x4B800001)]
    [InlineData("cvt.rm.f32.u32 %f3, %r0;", 16777219, 0x4B800001)]
    [InlineData("cvt.rm.f32.s32 %f3, %r0;", 0xFEFFFFFF, 0xCB800001)] // -16777217
    [InlineData("cvt.rp.f32.s32 %f3, %r0;", 0xFEFFFFFF, 0xCB800000)]
    [InlineData("cvt.rn.bf16.f32 %h0, %f0; cvt.u32.u16 %r3, %h0;", 0x3F808000, 0x3F80)] // a tie, to even
    [InlineData("cvt.rn.bf16.f32 %h0, %f0; cvt.u32.u16 %r3, %h0;", 0x3F818000, 0x3F82)]
    [InlineData("cvt.rz.bf16.f32 %h0, %f0; cvt.u32.u16 %r3, %h0;", 0x3F81FFFF, 0x3F81)]
    [InlineData("cvt.rn.bf16x2.f32 %r3, %f0, %f1;", 0x3F800000, 0x3F800000)] // the first source is the upper half
    [InlineData("cvt.rn.f16x2.f32 %r3, %f0, %f1;", 0x3F800000, 0x3C000000)]
    [InlineData("cvt.rn.relu.bf16x2.f32 %r3, %f0, %f1;", 0xBF800000, 0)]
    [InlineData("cvt.u16.u32 %h0, %r0; cvt.f32.bf16 %f3, %h0;", 0xBF80, 0xBF800000)]
    [InlineData("cvt.u16.u32 %h0, %r0; cvt.f32.f16 %f3, %h0;", 0xBC00, 0xBF800000)]
    [InlineData("cvt.rn.f16.f32 %h0, %f0; cvt.u32.u16 %r3, %h0;", 0x477FF000, 0x7C00)] // 65520 is infinite as a half
    [InlineData("cvt.rz.f16.f32 %h0, %f0; cvt.u32.u16 %r3, %h0;", 0x477FF000, 0x7BFF)]
    public void Conversions(string text, uint a, uint expected) =>
        Assert.Equal(expected.ToString("X8"), Run(text, a).ToString("X8"));

    [Theory]
    [InlineData("cvt.s64.s32 %rd3, %r0;", 0xFFFFFFF0ul, 0xFFFFFFFFFFFFFFF0ul)]
    [InlineData("cvt.u64.u32 %rd3, %r0;", 0xFFFFFFF0ul, 0xFFFFFFF0ul)]
    // Above a tie: up.
    [InlineData("cvt.rn.f32.u64 %f0, %rd0; cvt.rzi.u64.f32 %rd3, %f0;", 0x8000008000000001ul, 0x8000010000000000ul)]
    // a tie, to even.
    [InlineData("cvt.rn.f32.u64 %f0, %rd0; cvt.rzi.u64.f32 %rd3, %f0;", 0x8000008000000000ul, 0x8000000000000000ul)]
    [InlineData("cvt.rn.f32.s64 %f0, %rd0; cvt.rzi.s64.f32 %rd3, %f0;", 0xFFFFFFFFFFFFFFFDul, 0xFFFFFFFFFFFFFFFDul)]
    [InlineData("cvt.rzi.s64.f64 %rd3, %fd0;", 0x7FF8000000000000ul, 0x8000000000000000ul)] // NaN
    [InlineData("cvt.rn.f64.s64 %fd3, %rd0;", 0xFFFFFFFFFFFFFFFFul, 0xBFF0000000000000ul)]
    public void LongConversions(string text, ulong a, ulong expected) =>
        Assert.Equal(expected.ToString("X16"), Run64("cvt.u32.u64 %r0, %rd0;" + text, a).ToString("X16"));

    [Fact]
    public void Constants_OfTheModule()
    {
        const string Text = """
            .version 8.0 .target sm_80 .address_size 64
            .const .align 4 .f32 table[3] = {0f3F800000, 2.5, -3.0};
            .global .align 8 .u32 counter = 40;
            .visible .entry kernel(.param .u64 y)
            {
                .reg .b64 %rd<4>; .reg .f32 %f<4>; .reg .b32 %r<4>;
                ld.param.u64 %rd0, [y];
                ld.const.f32 %f0, [table+4];
                st.global.f32 [%rd0], %f0;
                mov.u64 %rd1, table;
                ld.const.f32 %f1, [%rd1+8];
                st.global.f32 [%rd0+4], %f1;
                atom.global.add.u32 %r0, [counter], 2;
                ld.global.u32 %r1, [counter];
                sub.u32 %r0, %r1, %r0;
                cvt.rn.f32.u32 %f2, %r0;
                st.global.f32 [%rd0+8], %f2;
                ret;
            }
            """;
        using var machine = new PtxMachine(PtxModule.Parse(Text));
        ulong y = machine.Allocate(12);
        machine.Launch(1, 1, 0, y);
        Assert.Equal([2.5f, -3, 2], machine.Download<float>(y, 3));
    }
}
