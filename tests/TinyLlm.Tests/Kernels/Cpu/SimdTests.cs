using System.Reflection;
using System.Runtime.InteropServices;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Cpu;

/// <summary>The vectors of every width, lane by lane against single floats.</summary>
public sealed unsafe class SimdTests
{
    public static TheoryData<int> Widths => new(16, 8, 4, 1);

    [Theory]
    [MemberData(nameof(Widths))]
    public void PartOfAVector_IsAllThatIsReadAndWritten(int width) => Run(nameof(PartOfAVector), width);

    [Theory]
    [MemberData(nameof(Widths))]
    public void PartOfAVector_DoesNotReachIntoTheNextPage(int width)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The guard page is made by Linux calls.");
        Run(nameof(EndOfAPage), width);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Operators_MatchFloats(int width) => Run(nameof(Operators), width);

    [Theory]
    [MemberData(nameof(Widths))]
    public void Transpose_SwapsRowsAndColumns(int width) => Run(nameof(Transpose), width);

    [Theory]
    [MemberData(nameof(Widths))]
    public void SumEach_SumsEachVectorWithoutTheOthers(int width) => Run(nameof(SumEach), width);

    [Theory]
    [MemberData(nameof(Widths))]
    public void DotOf64_SumsProductsOfIntegers(int width) => Run(nameof(DotOf64), width);

    [Theory]
    [MemberData(nameof(Widths))]
    public void PowerOfTwo_IsExact(int width) => Run(nameof(PowerOfTwo), width);

    // The vectors are internal types, which a public test class cannot take as its parameter.
    private static void Run(string check, int width)
    {
        var type = width switch
        {
            16 => typeof(Simd512),
            8 => typeof(Simd256),
            4 => typeof(Simd128),
            _ => typeof(SimdScalar)
        };
        typeof(SimdTests).GetMethod(check, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type)
            .Invoke(null, BindingFlags.DoNotWrapExceptions, null, null, null);
    }

    private static void PartOfAVector<V>() where V : struct, ISimd<V>
    {
        const float canary = -777;
        float* source = stackalloc float[64], target = stackalloc float[64];
        for (int count = 1; count <= V.Width + 3; count++)
        {
            for (int start = 0; start < 5; start++)
            {
                for (int i = 0; i < 64; i++)
                    (source[i], target[i]) = (i + 1, canary);

                int written = Math.Min(count, V.Width);
                V.Store(target + start, V.Load(source + start, count), count);
                for (int i = 0; i < 64; i++)
                    Assert.Equal(i >= start && i < start + written ? i + 1 : canary, target[i]);

                // Lanes behind a short count are zero: sums and products may run over them.
                V.Store(target + start, V.Load(source + start, count));
                for (int i = start; i < start + V.Width; i++)
                    Assert.Equal(i < start + written ? i + 1 : 0, target[i]);
            }
        }
    }

    private static void EndOfAPage<V>() where V : struct, ISimd<V>
    {
        const int readWrite = 3, none = 0, anonymousPrivate = 0x22;
        nint page = Environment.SystemPageSize;
        byte* pages = (byte*)MemoryMap(null, 2 * page, readWrite, anonymousPrivate, -1, 0);
        Assert.NotEqual(-1, (nint)pages);
        Assert.Equal(0, MemoryProtect(pages + page, page, none));

        // An access past the count would end the process here.
        float* end = (float*)(pages + page);
        for (int count = 1; count <= V.Width; count++)
        {
            V.Store(end - count, V.Create(count), count);
            Assert.Equal(count * count, V.Sum(V.Load(end - count, count)));
        }

        Assert.Equal(0, MemoryUnmap(pages, 2 * page));
    }

    private static void Operators<V>() where V : struct, ISimd<V>
    {
        int w = V.Width;
        var values = new RandomValues(1);
        float[] x = values.Floats(w), y = values.Floats(w), z = values.Floats(w), result = new float[w];
        fixed (float* a = x, b = y, c = z, r = result)
        {
            V u = V.Load(a), v = V.Load(b);
            Check(u + v, i => x[i] + y[i]);
            Check(u - v, i => x[i] - y[i]);
            Check(u * v, i => x[i] * y[i]);
            Check(u / v, i => x[i] / y[i]);
            Check(V.Max(u, v), i => MathF.Max(x[i], y[i]));
            Check(V.Min(u, v), i => MathF.Min(x[i], y[i]));
            Check(V.Sqrt(u * u), i => MathF.Sqrt(x[i] * x[i]));
            Check(V.Round(u * V.Create(2.5f)), i => MathF.Round(x[i] * 2.5f));
            Check(V.Create(3), _ => 3);
            Check(V.Zero, _ => 0);

            // In one rounding or in two.
            V.Store(r, V.MultiplyAdd(u, v, V.Load(c)));
            for (int i = 0; i < w; i++)
                Assert.Equal((double)x[i] * y[i] + z[i], result[i], 1e-6);
            Assert.Equal(x.Sum(f => (double)f), V.Sum(u), 1e-5);
            Assert.Equal(x.Max(), V.MaxAcross(u));

            void Check(V actual, Func<int, float> expected)
            {
                var lanes = new float[V.Width];
                fixed (float* p = lanes)
                    V.Store(p, actual);
                Assert.Equal(Enumerable.Range(0, V.Width).Select(i => expected(i)), lanes);
            }
        }
    }

    private static void Transpose<V>() where V : struct, ISimd<V>
    {
        int w = V.Width, sourceStride = w + 3, targetStride = w + 5;
        float[] source = new RandomValues(1).Floats(w * sourceStride), target = new float[w * targetStride];
        Array.Fill(target, -777);
        fixed (float* s = source, t = target)
            V.Transpose(s, sourceStride, t, targetStride);
        for (int i = 0; i < w; i++)
            for (int j = 0; j < targetStride; j++)
                Assert.Equal(j < w ? source[j * sourceStride + i] : -777, target[i * targetStride + j]);
    }

    private static void SumEach<V>() where V : struct, ISimd<V>
    {
        float[] x = new RandomValues(1).Floats(4 * V.Width);
        float* sums = stackalloc float[4], alone = stackalloc float[4];
        fixed (float* p = x)
        {
            V.SumEach(V.Load(p), V.Load(p + V.Width), V.Load(p + 2 * V.Width), V.Load(p + 3 * V.Width), sums);
            for (int i = 0; i < 4; i++)
            {
                Assert.Equal(x.Skip(i * V.Width).Take(V.Width).Sum(f => (double)f), sums[i], 1e-5);
                V one = V.Load(p + i * V.Width);
                V.SumEach(one, V.Zero, one, V.Create(1e10f), alone);
                Assert.Equal([sums[i], 0, sums[i]], [alone[0], alone[1], alone[2]]);
            }
        }
    }

    private static void DotOf64<V>() where V : struct, ISimd<V>
    {
        var values = new RandomValues(1);
        sbyte[] a = Array.ConvertAll(values.Integers(64, -127, 128), i => (sbyte)i);
        short[] b = Array.ConvertAll(values.Integers(64, -32767, 32768), i => (short)i);
        Check();
        Array.Fill(a, (sbyte)-127);
        Array.Fill(b, (short)32767);
        Check();

        // One pair at a time: each counts once.
        for (int i = 0; i < 64; i++)
        {
            Array.Clear(a);
            a[i] = 3;
            Check();
        }

        void Check()
        {
            fixed (sbyte* x = a)
            fixed (short* y = b)
            {
                double expected = a.Zip(b, (i, j) => (double)i * j).Sum();
                Assert.Equal(expected, V.Sum(V.DotOf64(x, y)), Math.Abs(expected) * 1e-6);
            }
        }
    }

    private static void PowerOfTwo<V>() where V : struct, ISimd<V>
    {
        float* lanes = stackalloc float[16];
        for (int n = -126; n <= 127; n++)
        {
            V.Store(lanes, V.PowerOfTwo(V.Create(n)));
            for (int i = 0; i < V.Width; i++)
                Assert.Equal(MathF.ScaleB(1, n), lanes[i]);
        }
    }

    [DllImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void* MemoryMap(void* address, nint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "mprotect")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int MemoryProtect(void* address, nint length, int protection);

    [DllImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int MemoryUnmap(void* address, nint length);
}
