using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public static class FusedMatMulSizes
{
    /// <summary>
    /// Sizes that the simulator does too, and others around the CPU's depth block, its panels and its tiles.
    /// </summary>
    public static TheoryData<int, int, int> All => new()
    {
        { 1, 1, 1 }, { 1, 33, 17 }, { 3, 65, 31 }, { 4, 16, 8 }, { 9, 17, 5 }, { 17, 31, 65 }, { 31, 1, 16 },
            { 65, 64, 33 }, { 7, 66, 257 },
    };

    public static TheoryData<int, int, int> Large =>
        new() { { 97, 65, 400 }, { 200, 700, 33 }, { 7, 3105, 9 }, { 13, 65, 1000 } };
}

/// <summary>Products with something behind them, in every element type that the device has.</summary>
public abstract class FusedMatMulTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private DType[] Types => Backend.Supports(DType.BF16) ? [DType.F32, DType.BF16] : [DType.F32];

    [Theory]
    [MemberData(nameof(FusedMatMulSizes.All), MemberType = typeof(FusedMatMulSizes))]
    public void Add_MatchesReference(int m, int n, int k)
    {
        foreach (var dtype in Types)
        {
            TestTensor x = Random((m, k), dtype: dtype), weight = Random((n, k), dtype: dtype), bias = Random(n),
                addend = Random((m, n), dtype: dtype);
            TestTensor y = Output((m, n), dtype), yWithoutBias = Output((m, n), dtype),
                inPlace = Random((m, n), dtype: dtype);
            double[] product = ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), null, m, n, k),
                biased = ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), bias.Doubles(), m, n, k);
            double[] before = inPlace.Doubles();

            Run(() => Backend.MatMulAdd(x, weight, bias, addend, y), y);
            Run(() => Backend.MatMulAdd(x, weight, null, addend, yWithoutBias), yWithoutBias);
            Run(() => Backend.MatMulAdd(x, weight, bias, inPlace, inPlace), inPlace);

            Close($"y {dtype}", ReferenceOps.Add(addend.Doubles(), biased), y, Tolerance(dtype));
            Close($"y {dtype} without bias", ReferenceOps.Add(addend.Doubles(), product), yWithoutBias,
                Tolerance(dtype));
            Close($"y {dtype} in place", ReferenceOps.Add(before, biased), inPlace, Tolerance(dtype));
        }
    }

    [Theory]
    [MemberData(nameof(FusedMatMulSizes.All), MemberType = typeof(FusedMatMulSizes))]
    public void Gelu_MatchesReference(int m, int n, int k)
    {
        foreach (var dtype in Types)
        {
            TestTensor x = Random((m, k), dtype: dtype), weight = Random((n, k), dtype: dtype), bias = Random(n),
                pre = Output((m, n), dtype), y = Output((m, n), dtype);
            TestTensor preWithoutBias = Output((m, n), dtype), yWithoutBias = Output((m, n), dtype);
            double[] biased = ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), bias.Doubles(), m, n, k),
                product = ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), null, m, n, k);

            Run(() => Backend.MatMulGelu(x, weight, bias, pre, y), pre, y);
            Run(() => Backend.MatMulGelu(x, weight, null, preWithoutBias, yWithoutBias), preWithoutBias, yWithoutBias);

            Close($"pre {dtype}", biased, pre, Tolerance(dtype));
            Close($"y {dtype}", ReferenceOps.Gelu(biased), y, Tolerance(dtype));
            Close($"pre {dtype} without bias", product, preWithoutBias, Tolerance(dtype));
            Close($"y {dtype} without bias", ReferenceOps.Gelu(product), yWithoutBias, Tolerance(dtype));
        }
    }

    [Theory]
    [MemberData(nameof(FusedMatMulSizes.All), MemberType = typeof(FusedMatMulSizes))]
    public void BackwardGelu_MatchesReference(int m, int n, int k)
    {
        foreach (var dtype in Types)
        {
            TestTensor dy = Random((m, n), dtype: dtype), weight = Random((n, k), dtype: dtype),
                pre = Random((m, k), dtype: dtype), dPre = Output((m, k), dtype);
            double[] expected = ReferenceOps.GeluBackward(
                ReferenceOps.MatMulBackwardInput(dy.Doubles(), weight.Doubles(), m, n, k), pre.Doubles());

            Run(() => Backend.MatMulBackwardGelu(dy, weight, pre, dPre), dPre);

            Close($"dPre {dtype}", expected, dPre, Tolerance(dtype));
        }
    }

    // bf16 rounds what is stored between two ops where they are not one.
    private static double Tolerance(DType dtype) => dtype == DType.BF16 ? 1e-2 : 5e-6;
}

/// <summary>On the CPU the fused product is the two ops, bit for bit, whichever way it is cut.</summary>
public abstract class FusedMatMulBitTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [MemberData(nameof(FusedMatMulSizes.All), MemberType = typeof(FusedMatMulSizes))]
    [MemberData(nameof(FusedMatMulSizes.Large), MemberType = typeof(FusedMatMulSizes))]
    public void EqualsTheOpsOneByOne(int m, int n, int k)
    {
        TestTensor x = Random((m, k)), weight = Random((n, k)), bias = Random(n), addend = Random((m, n)),
            dPreOfTwo = Output((m, k)), dPre = Output((m, k)), arguments = Random((m, k));
        TestTensor product = Output((m, n)), sum = Output((m, n)), gelu = Output((m, n)), y = Output((m, n)),
            pre = Output((m, n)), dx = Output((m, k));

        Run(() => Backend.MatMul(x, weight, bias, product), product);
        Run(() => Backend.Add(addend, product, sum), sum);
        Run(() => Backend.MatMulAdd(x, weight, bias, addend, y), y);
        Compare.SameBits("MatMulAdd", sum.Floats(), y.Floats());

        Run(() => Backend.Gelu(product, gelu), gelu);
        Run(() => Backend.MatMulGelu(x, weight, bias, pre, y), pre, y);
        Compare.SameBits("MatMulGelu pre", product.Floats(), pre.Floats());
        Compare.SameBits("MatMulGelu", gelu.Floats(), y.Floats());

        Run(() => Backend.MatMulBackwardInput(addend, weight, dx), dx);
        Run(() => Backend.GeluBackward(dx, arguments, dPreOfTwo), dPreOfTwo);
        Run(() => Backend.MatMulBackwardGelu(addend, weight, arguments, dPre), dPre);
        Compare.SameBits("MatMulBackwardGelu", dPreOfTwo.Floats(), dPre.Floats());
    }
}
