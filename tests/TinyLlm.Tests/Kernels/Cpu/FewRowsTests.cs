using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Cpu;

/// <summary>
/// Products of few rows, as in decoding: each row has the bits that it has alone, whatever the threads, so that samples
/// of one batch do not feel each other.
/// </summary>
public sealed class FewRowsTests
{
    private const int Rows = 16, Columns = 2003;

    public static TheoryData<int, int> Cases
    {
        get
        {
            var cases = new TheoryData<int, int>();
            foreach (int vectorBits in (int[])[512, 256, 128, 32])
                foreach (int depth in (int[])[5, 64, 131])
                    cases.Add(vectorBits, depth);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_HaveTheBitsThatTheyHaveAlone(int vectorBits, int depth)
    {
        foreach (bool quantized in (bool[])[false, true])
        {
            float[] expected = Multiply(vectorBits, threads: 1, depth, rowsAtOnce: 1, quantized);
            foreach (int rows in (int[])[2, 3, 4, 5, 7, 16])
                Compare.SameBits($"{rows} rows", expected, Multiply(vectorBits, threads: 1, depth, rows, quantized));
            foreach (int threads in (int[])[2, 3])
                foreach (int rows in (int[])[1, 8])
                {
                    Compare.SameBits(
                        $"{rows} rows, {threads} threads", expected,
                        Multiply(vectorBits, threads, depth, rows, quantized));
                }
        }
    }

    private static float[] Multiply(int vectorBits, int threads, int depth, int rowsAtOnce, bool quantized)
    {
        using var backend = CpuBackend.Create(threads, vectorBits);
        using var arena = new Arena(backend, "few rows");
        Tensor x = arena.Add("x", (Rows, depth)), weight = arena.Add("weight", (Columns, depth)),
            bias = arena.Add("bias", Columns), y = arena.Add("y", (Rows, Columns));
        var integers = QuantizedMatrix.Plan(arena, "integers", weight.Shape);
        arena.Allocate();
        var values = new RandomValues(1);
        backend.Write(x, values.Floats(x.Count));
        float[] weights = values.Floats(weight.Count);
        backend.Write(weight, weights);
        backend.Quantize(weights, integers);
        backend.Write(bias, values.Floats(bias.Count));
        for (int row = 0; row < Rows; row += rowsAtOnce)
        {
            int count = Math.Min(rowsAtOnce, Rows - row);
            if (quantized)
                backend.QuantizedMatMul(x.Slice(0, row, count), integers, bias, y.Slice(0, row, count));
            else
                backend.MatMul(x.Slice(0, row, count), weight, bias, y.Slice(0, row, count));
        }

        var result = new float[y.Count];
        backend.Read(y, result);
        return result;
    }
}
