using System.Reflection;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Kernels that ILGPU compiled, on the PTX machine.</summary>
public sealed class PtxIlgpuTests
{
    private static PtxMachine Machine(string kernel, int capability = 80, Type? element = null)
    {
        MethodInfo method = typeof(PtxIlgpuTests).GetMethod(kernel, BindingFlags.NonPublic | BindingFlags.Static)!;
        return new PtxMachine(
            PtxModule.Parse(
                OfflineCompiler.Ptx(element is null ? method : method.MakeGenericMethod(element), capability)));
    }

    private static void Scale<T>(ArrayView<T> x, ArrayView<T> y, long count, float factor)
        where T : unmanaged, IElement<T>
    {
        for (long i = Grid.GlobalLinearIndex; i < count; i += (long)Grid.DimX * Group.DimX)
            y[i] = default(T).From(x[i].ToFloat() * factor);
    }

    [Fact]
    public void Elementwise_InBothElementTypes()
    {
        float[] x = new RandomValues(2).Floats(1000);
        CheckScale<Float32>(x, v => v * 1.7f);
        CheckScale<BFloat16>(x, v => BFloat.ToFloat(BFloat.Round(BFloat.ToFloat(BFloat.Round(v)) * 1.7f)));
    }

    private static void CheckScale<T>(float[] x, Func<float, float> expected) where T : unmanaged, IElement<T>
    {
        using PtxMachine machine = Machine(nameof(Scale), element: typeof(T));
        PtxView from = machine.View<T>(Array.ConvertAll(x, v => default(T).From(v))),
            to = machine.View<T>(new T[x.Length]);
        machine.Launch(3, 64, 0, from, to, (long)x.Length - 1, 1.7f);
        float[] y = Array.ConvertAll(machine.Download<T>(to), v => v.ToFloat());
        Assert.Equal([.. x[..^1].Select(expected), 0], y);
    }

    private static void Functions(ArrayView<float> x, ArrayView<float> y, int count)
    {
        int i = Grid.GlobalLinearIndex;
        if (i >= count)
            return;
        float v = x[i];
        y[i] = XMath.Exp(v);
        y[i + count] = XMath.Log(v);
        y[i + 2 * count] = XMath.Sqrt(v);
        y[i + 3 * count] = XMath.Rsqrt(v);
        y[i + 4 * count] = XMath.Tanh(v);
        y[i + 5 * count] = XMath.Max(v, 1.5f) + XMath.Floor(v) + XMath.Pow(v, 3f);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(90)]
    public void MathFunctions(int capability)
    {
        float[] x = Enumerable.Range(1, 100).Select(n => n * 0.05f).ToArray();
        using PtxMachine machine = Machine(nameof(Functions), capability);
        PtxView y = machine.View<float>(new float[6 * x.Length]);
        machine.Launch(2, 64, 0, machine.View<float>(x), y, x.Length);
        Func<double, double>[] functions = [Math.Exp, Math.Log, Math.Sqrt, v => 1 / Math.Sqrt(v), Math.Tanh,
            v => Math.Max(v, 1.5) + Math.Floor(v) + v * v * v];
        double[] expected = [.. functions.SelectMany(f => x.Select(v => f(v)))];
        Compare.Close("y", expected, machine.Download<float>(y), (6, x.Length), 1e-6, 0);
    }

    private static void BlockSums(ArrayView<float> x, ArrayView<float> sums)
    {
        ArrayView<float> partial = SharedMemory.Allocate<float>(8);
        float value = x[(long)Grid.IdxX * Group.DimX + Group.IdxX];
        for (int offset = Warp.WarpSize / 2; offset > 0; offset /= 2)
            value += Warp.ShuffleDown(value, offset);
        if (Warp.LaneIdx == 0)
            partial[Group.IdxX / Warp.WarpSize] = value;
        Group.Barrier();
        if (Group.IdxX == 0)
        {
            float sum = 0;
            for (int i = 0; i < Group.DimX / Warp.WarpSize; i++)
                sum += partial[i];
            sums[Grid.IdxX] = sum;
        }
        Group.Barrier();
    }

    [Fact]
    public void SharedMemory_BarriersAndShuffles()
    {
        using PtxMachine machine = Machine(nameof(BlockSums));
        PtxView sums = machine.View<float>(new float[5]);
        machine.Launch(
            5, 256, 0, machine.View<float>(Enumerable.Range(0, 5 * 256).Select(n => (float)(n % 100)).ToArray()), sums);
        Assert.Equal(
            Enumerable.Range(0, 5).Select(b => (float)Enumerable.Range(b * 256, 256).Sum(n => n % 100)),
            machine.Download<float>(sums));
    }

    private struct Mixed
    {
        public int A;
        public long B;
        public float C;
        public byte D;
        public short E;
    }

    private static void Parameters(ArrayView<double> y, Mixed mixed, byte small, short signed, double number, bool flag)
    {
        y[0] = mixed.A;
        y[1] = mixed.B;
        y[2] = mixed.C;
        y[3] = mixed.D;
        y[4] = mixed.E;
        y[5] = small;
        y[6] = signed;
        y[7] = number;
        if (flag)
            y[8] = y.Length;
    }

    /// <summary>A struct comes as its bytes, a bool as 32 bits.</summary>
    [Fact]
    public void Parameters_OfEveryKind()
    {
        using PtxMachine machine = Machine(nameof(Parameters));
        PtxView y = machine.View<double>(new double[9]);
        machine.Launch(
            1, 1, 0, y, new Mixed { A = -1, B = 1L << 40, C = 2.5f, D = 200, E = -300 }, (byte)250, (short)-7, 0.1,
            true);
        Assert.Equal([-1, 1L << 40, 2.5, 200, -300, 250, -7, 0.1, 9], machine.Download<double>(y));
        Assert.Contains("arguments for", Assert.Throws<PtxException>(() => machine.Launch(1, 1, 0, y)).Message);
        Assert.Contains(
            "argument 2 has 4 bytes",
            Assert.Throws<PtxException>(
                () => machine.Launch(1, 1, 0, y, default(Mixed), 250, (short)-7, 0.1, true)).Message);
    }

    private static void Totals(ArrayView<float> x, ArrayView<int> counts, ArrayView<double> sum)
    {
        float value = x[Group.IdxX];
        Atomic.Add(ref counts[value > 0 ? 1 : 0], 1);
        Atomic.Max(ref counts[2], (int)value);
        Atomic.Add(ref sum[0], value);
        ArrayView<float> own = LocalMemory.Allocate<float>(4);
        for (int i = 0; i < 4; i++)
            own[i] = value * i;
        int positive = Group.BarrierPopCount(value > 0);
        x[Group.IdxX] = own[Group.IdxX % 4] + positive + Group.Broadcast(value, 3);
    }

    [Fact]
    public void Atomics_LocalMemoryAndGroupOperations()
    {
        using PtxMachine machine = Machine(nameof(Totals));
        float[] values = Enumerable.Range(0, 96).Select(n => (float)(n - 40)).ToArray();
        PtxView x = machine.View<float>(values), counts = machine.View<int>(new int[3]),
            sum = machine.View<double>(new double[1]);
        machine.Launch(1, 96, 0, x, counts, sum);
        Assert.Equal([41, 55, 55], machine.Download<int>(counts));
        Assert.Equal(values.Sum(), machine.Download<double>(sum)[0]);
        Assert.Equal(values.Select((v, n) => v * (n % 4) + 55 + values[3]), machine.Download<float>(x));
    }

    private static void Inline(ArrayView<float> x, long address, float factor)
    {
        ArrayView<float> tile = SharedMemory.GetDynamic<float>();
        CudaAsm.Emit("mov.u32 %0, __dyn_shared_alloca;", out uint shared);
        CudaAsm.Emit(".reg .f32 c<4>; .reg .b64 source;");
        CudaAsm.Emit("mov.f32 c1, %0;", factor);
        CudaAsm.Emit("cvta.to.global.u64 source, %0;", address);
        CudaAsm.Emit(
            "{ .reg .u64 from; add.u64 from, source, %0; cp.async.ca.shared.global [%1], [from], 4; }", 4L * Group.IdxX,
            shared + 4 * (uint)Group.IdxX);
        CudaAsm.Emit("cp.async.commit_group; cp.async.wait_group 0;");
        Group.Barrier();
        int other = Group.DimX - 1 - Group.IdxX;
        CudaAsm.Emit("ld.shared.f32 c2, [%0]; mul.f32 c2, c2, c1;", shared + 4 * (uint)other);
        CudaAsm.Emit("mov.f32 %0, c2;", out float value);
        x[Group.IdxX] = value + tile[other];
    }

    [Fact]
    public void InlinePtx_WithNamedRegistersAndDynamicSharedMemory()
    {
        using PtxMachine machine = Machine(nameof(Inline));
        PtxView x = machine.View<float>(new float[64]);
        float[] source = Enumerable.Range(0, 64).Select(n => (float)n).ToArray();
        machine.Launch(1, 64, 256, x, machine.Upload<float>(source), 10f);
        Assert.Equal(source.Reverse().Select(v => 11 * v), machine.Download<float>(x));
    }
}
