using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Support;
using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// The tensor core kernels' PTX, run by the emulator, against products in double precision: every layout, tile and
/// output, odd shapes. Memory is NaN where nothing was written, and an access beyond a tensor's end fails.
/// </summary>
public sealed class TensorCoreMatMulTests
{
    /// <summary>Fewer than there are tiles in the larger products, so that groups take several in turn.</summary>
    private const int Multiprocessors = 3;

    private const double ToleranceF32 = 2e-6;
    private const double ToleranceBf16 = 4e-3; // bf16 has 8 bits

    private static readonly ConcurrentDictionary<int, Lazy<PtxModule>> modules = new();

    /// <summary>
    /// Kernel, M, N, K: single tiles, edges in both dimensions, depths around the tile's and around the number of
    /// stages.
    /// </summary>
    public static TheoryData<string, int, int, int> Shapes()
    {
        var shapes = new TheoryData<string, int, int, int>();
        foreach (string kind in Enum.GetNames<MatMulKind>())
        {
            foreach (string prefix in new[] { "", "Warpgroup" })
            {
                shapes.Add($"{prefix}{kind}128x256", 128, 256, 256);
                shapes.Add($"{prefix}{kind}128x256", 136, 264, 72);
                shapes.Add($"{prefix}{kind}128x128", 128, 128, 64);
                shapes.Add($"{prefix}{kind}128x128", 200, 136, 200);
                shapes.Add($"{prefix}{kind}128x128", 72, 328, 88);
                shapes.Add($"{prefix}{kind}128x128", 264, 264, 264);
            }

            shapes.Add($"{kind}64x64", 64, 64, 64);
            shapes.Add($"{kind}64x64", 1, 8, 8);
            shapes.Add($"{kind}64x64", 72, 88, 456);
            shapes.Add($"{kind}64x64", 65, 200, 72);
            shapes.Add($"{kind}64x64", 321, 8, 16);
        }

        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Product_MatchesReference(string kernel, int m, int n, int k) =>
        new Product(kernel, m, n, k).Check(1, MatMulOutput.F32, ToleranceF32);

    [Theory]
    [InlineData("Forward128x128", 136, 72, 320, 2)]
    [InlineData("BackwardWeight64x64", 300, 72, 88, 3)]
    [InlineData("BackwardWeight128x128", 260, 136, 152, 5)]
    [InlineData("BackwardInput64x64", 33, 200, 80, 4)]
    [InlineData("WarpgroupBackwardWeight128x128", 400, 72, 136, 3)]
    public void SplitDepth_MatchesReference(string kernel, int m, int n, int k, int parts)
    {
        var product = new Product(kernel, m, n, k);
        product.Check(parts, MatMulOutput.F32, ToleranceF32);
        product.Check(parts, MatMulOutput.F32, ToleranceF32, hasAddend: true);
        product.Check(parts, MatMulOutput.GeluSlope, ToleranceBf16, hasBias: true, hasAddend: true);
    }

    /// <summary>
    /// Every combination of what may follow a product, of both types of C and with all shapes of a warp's tile.
    /// </summary>
    [Theory]
    [InlineData("Forward128x128", 72, 136)]
    [InlineData("Forward64x64", 40, 88)]
    [InlineData("WarpgroupForward128x128", 72, 136)]
    public void Outputs_MatchReference(string kernel, int m, int n)
    {
        var product = new Product(kernel, m, n, 64);
        foreach (MatMulOutput type in new[] { MatMulOutput.None, MatMulOutput.F32 })
            foreach (MatMulOutput activation in new[] { MatMulOutput.None, MatMulOutput.Gelu, MatMulOutput.GeluSlope })
                foreach (bool hasBias in new[] { false, true })
                    foreach (bool hasAddend in new[] { false, true })
                    {
                        product.Check(
                            1, type | activation, type == MatMulOutput.F32 ? 1e-5 : ToleranceBf16, hasBias, hasAddend);
                    }
    }

    [Theory]
    [InlineData("BackwardWeight64x64", 1, 2)]
    [InlineData("WarpgroupBackwardWeight128x256", 1, 1)]
    public void Accumulation_AddsToC(string kernel, int parts, int otherParts)
    {
        var product = new Product(kernel, 100, 64, 72);
        product.Check(parts, MatMulOutput.F32, ToleranceF32, hasAddend: true, addendIsC: true);
        product.Check(otherParts, MatMulOutput.None, ToleranceBf16, hasAddend: true, addendIsC: true);
    }

    /// <summary>
    /// A NaN in a row of A shows in that row of C and nowhere else: neither rows beyond the last nor the zeros beyond
    /// the depth are mixed up with it.
    /// </summary>
    [Theory]
    [InlineData("Forward64x64")]
    [InlineData("WarpgroupForward128x128")]
    public void NotFiniteValues_StayInTheirRow(string kernel)
    {
        var product = new Product(kernel, 70, 72, 72);
        product.A[3 * 72 + 71] = float.NaN;
        float[] c = product.Run(1, MatMulOutput.F32);
        Assert.All(Enumerable.Range(0, c.Length), i => Assert.Equal(i / 72 == 3, float.IsNaN(c[i])));
    }

    [Theory]
    [InlineData("BackwardInput64x64")]
    [InlineData("WarpgroupBackwardInput128x128")]
    public void SmallIntegers_AreExact(string kernel)
    {
        var product = new Product(kernel, 65, 72, 80);
        for (int i = 0; i < product.A.Length; i++)
            product.A[i] = i * 7 % 13 - 6;
        for (int i = 0; i < product.B.Length; i++)
            product.B[i] = i * 5 % 11 - 5;
        Assert.Equal(
            product.Reference(MatMulOutput.F32, false, false).C.Select(v => (float)v),
            product.Run(1, MatMulOutput.F32));
    }

    [Fact]
    public void EqualRuns_GiveEqualBits()
    {
        var product = new Product("BackwardWeight64x64", 400, 64, 64);
        Compare.SameBits("dW", product.Run(4, MatMulOutput.F32), product.Run(4, MatMulOutput.F32));
    }

    /// <summary>One product with its operands, run on the emulator.</summary>
    private sealed class Product
    {
        private readonly int kernel, rows, columns, depth, seed;
        private readonly MatMulKind kind;
        private readonly float[] bias, addend, pre;

        public Product(string kernelName, int m, int n, int k)
        {
            kernel = MatMulPlan.Kernels.Select(method => method.Name).ToList().IndexOf(kernelName);
            kind = Enum.GetValues<MatMulKind>().Single(name => kernelName.Contains(name.ToString()));
            seed = m + n + k;
            (rows, columns, depth) = kind switch
            {
                MatMulKind.Forward => (m, n, k),
                MatMulKind.BackwardInput => (m, k, n),
                _ => (n, k, m),
            };
            var random = new RandomValues(seed);
            A = RoundedFloats(random, (long)rows * depth);
            B = RoundedFloats(random, (long)columns * depth);
            bias = random.Floats(columns);
            addend = RoundedFloats(random, (long)rows * columns);
            pre = RoundedFloats(random, (long)rows * columns);
        }

        /// <summary>
        /// Row-major, as the layer has them: x or dy, (rows, depth) or for a weight's gradient (depth, rows).
        /// </summary>
        public float[] A { get; }

        /// <summary>W (columns, depth) or (depth, columns), or x (depth, columns).</summary>
        public float[] B { get; }

        public void Check(
            int parts, MatMulOutput output, double tolerance, bool hasBias = false, bool hasAddend = false,
            bool addendIsC = false)
        {
            float[] c = Run(parts, output, hasBias, hasAddend, addendIsC, out float[] preAfter);
            var (expected, expectedPre) = Reference(output, hasBias, hasAddend);
            string what = $"{MatMulPlan.Kernels[kernel].Name} in {parts} parts, "
                + $"{output}{(hasBias ? ", bias" : "")}{(hasAddend ? ", addend" : "")}";
            Compare.Close(what, expected, c, (rows, columns), tolerance, seed);
            if ((output & MatMulOutput.Gelu) != 0)
                Compare.Close($"{what}: pre", expectedPre, preAfter, (rows, columns), ToleranceBf16, seed);
            else
                Compare.SameBits($"{what}: pre", pre, preAfter);
        }

        public float[] Run(int parts, MatMulOutput output) => Run(parts, output, false, false, false, out _);

        private float[] Run(
            int parts, MatMulOutput output, bool hasBias, bool hasAddend, bool addendIsC, out float[] preAfter)
        {
            MatMulPlan plan = MatMulPlan.With(kernel, parts, rows, columns, depth, Multiprocessors);
            using PtxMachine product = Machine(kernel);
            long a = Upload(product, A, false), b = Upload(product, B, false),
                workspace = (long)product.Allocate(plan.WorkspaceBytes);
            var slots = new long[MatMulPlan.MaxSlots];
            if (parts > 1)
            {
                Launch(product, kernel, plan.GridX, plan.GridY,
                    plan.Arguments(slots, new MatMulCall(a, b, 0, 0, 0, 0, output), workspace, new Descriptions()));
            }

            using PtxMachine last = parts > 1 ? Machine(MatMulPlan.AddPartsIndex) : product;
            bool isF32 = (output & MatMulOutput.F32) != 0;
            long addendAt = Upload(last, addend, isF32), preAt = Upload(last, pre, false), c = addendIsC ? addendAt
                : (long)last.Allocate((long)rows * columns * (isF32 ? 4 : 2));
            var call = new MatMulCall(
                a, b, c, hasBias ? Upload(last, bias, true) : 0, hasAddend ? addendAt : 0, preAt, output);
            if (parts == 1)
                Launch(last, kernel, plan.GridX, plan.GridY, plan.Arguments(slots, call, 0, new Descriptions()));
            else
            {
                Launch(last, MatMulPlan.AddPartsIndex, plan.PartGroups, 1,
                    plan.PartArguments(
                        slots, call,
                        Upload(last, product.Download<float>((ulong)workspace, plan.WorkspaceBytes / 4), true)));
            }

            preAfter = Download(last, preAt, false);
            return Download(last, c, isF32);
        }

        private float[] Download(PtxMachine machine, long address, bool isF32) => isF32
            ? machine.Download<float>((ulong)address, (long)rows * columns)
            : Array.ConvertAll(machine.Download<ushort>((ulong)address, (long)rows * columns), ToFloat);

        public (double[] C, double[] Pre) Reference(MatMulOutput output, bool hasBias, bool hasAddend)
        {
            var (c, sums) = (new double[rows * columns], new double[rows * columns]);
            for (int i = 0; i < c.Length; i++)
            {
                int row = i / columns, column = i % columns;
                double sum = hasBias ? bias[column] : 0;
                for (int k = 0; k < depth; k++)
                {
                    double a = kind == MatMulKind.BackwardWeight ? A[k * rows + row] : A[row * depth + k];
                    sum += a * (kind == MatMulKind.Forward ? B[column * depth + k] : B[k * columns + column]);
                }

                sums[i] = sum;
                if ((output & MatMulOutput.Gelu) != 0)
                    sum = Gelu(sum);
                if ((output & MatMulOutput.GeluSlope) != 0)
                    sum *= (Gelu(pre[i] + 1e-5) - Gelu(pre[i] - 1e-5)) / 2e-5;
                c[i] = sum + (hasAddend ? addend[i] : 0);
            }

            return (c, sums);
        }

        private static double Gelu(double x) =>
            x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

        private static float[] RoundedFloats(RandomValues random, long count) =>
            Array.ConvertAll(random.Floats(count), v => ToFloat(ToBf16(v)));
    }

    private static PtxMachine Machine(int kernel) =>
        new(modules.GetOrAdd(
            kernel, i => new Lazy<PtxModule>(() => PtxModule.Parse(OfflineCompiler.Ptx(MatMulPlan.Kernels[i])))).Value);

    private static long Upload(PtxMachine machine, float[] values, bool isF32) =>
        (long)(isF32 ? machine.Upload<float>(values) : machine.Upload<ushort>(Array.ConvertAll(values, ToBf16)));

    private static void Launch(PtxMachine machine, int kernel, int gridX, int gridY, ReadOnlySpan<long> arguments)
    {
        MethodInfo method = MatMulPlan.Kernels[kernel];
        var traits = method.GetCustomAttribute<KernelAttribute>()!;
        int[] starts = CudaFunction.SlotsOf(method);
        var values = new object[starts.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = Value(method.GetParameters()[i].ParameterType, arguments[starts[i]..]);
        machine.Launch((gridX, gridY), traits.GroupSize, traits.DynamicSharedBytes, values);
    }

    private static object Value(Type parameter, ReadOnlySpan<long> slots) => parameter == typeof(TensorMap)
        ? MemoryMarshal.AsBytes(slots[..TensorMap.Slots]).ToArray()
        : parameter == typeof(int) ? (int)slots[0] : (object)slots[0];

    /// <summary>The emulator's descriptions of matrices.</summary>
    private sealed class Descriptions : ITensorMaps
    {
        public void Describe(Span<long> map, long matrix, int rows, int columns) =>
            new PtxTensorMap((ulong)matrix, rows, columns, TensorMap.Box, TensorMap.Box).Write(map);
    }

    private static ushort ToBf16(float value) => BFloat16.RoundToBits(BitConverter.SingleToUInt32Bits(value));

    private static float ToFloat(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
