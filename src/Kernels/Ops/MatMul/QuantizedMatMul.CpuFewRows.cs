using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // y (M, N) = x (M, K) W^T + b. Nothing becomes a float before a block is summed: x is rounded to integers first,
    // for all rows of W.
    private void QuantizedMatVec(float* x, QuantizedRows weight, float* bias, float* y, int m, int k)
    {
        if (m == 0)
            return;
        int width = weight.Width;
        float* scales = SharedScratch(SharedPartials, m + (long)m * width / (sizeof(float) / sizeof(short)));
        short* rounded = (short*)(scales + m);
        pool.Run(new RoundRowsKernel(this, x, rounded, scales, m, k, weight.Blocks), Items(m, RowsPerItem(width)));

        int rowsPerItem = WeightRowsPerItem(weight.Count, width + (long)weight.Blocks * sizeof(float));
        pool.Run(new QuantizedMatVecKernel(rounded, scales, weight, bias, y, m, rowsPerItem),
            Items(weight.Count, rowsPerItem));
    }

    private readonly struct RoundRowsKernel(
        CpuBackend<V> backend, float* x, short* rounded, float* scales, int m, int k, int blocks) : IKernel
    {
        public void Run(int item, int thread)
        {
            int width = blocks * QuantizedMatrix.BlockSize;
            float* row = backend.Scratch(thread, width);
            var (first, end) = RowsOf(item, m, width);
            for (int i = first; i < end; i++)
            {
                CopyPadded(x + (long)i * k, k, row, width);
                scales[i] = QuantizedBlock.Round(row, blocks, rounded + (long)i * width);
            }
        }
    }

    /// <summary>Some rows of W against all rows of x; see <see cref="MatVecKernel"/>.</summary>
    private readonly struct QuantizedMatVecKernel(
        short* x, float* xScales, QuantizedRows weight, float* bias, float* y, int m, int rowsPerItem)
        : IKernel, IRowGroups
    {
        private const int Size = QuantizedMatrix.BlockSize;

        public void Run(int item, int thread)
        {
            int first = item * rowsPerItem, end = Math.Min(weight.Count, first + rowsPerItem);
            for (int row = MultiplyGroups(
                this, m, first, end, (nint)weight.Values(0), weight.Width, Size); row < end; row++)
                for (int i = 0; i < m; i++)
                    MultiplyLast(i, row);
            for (int i = 0; i < m; i++)
                Finish(i, first, end - first);
        }

        public void Multiply<M>(int i, int row, nint ahead, int aheadStep) where M : struct, IInputRows
        {
            V s00 = V.Zero, s01 = V.Zero, s02 = V.Zero, s03 = V.Zero, s10 = V.Zero, s11 = V.Zero, s12 = V.Zero,
                s13 = V.Zero;
            V s20 = V.Zero, s21 = V.Zero, s22 = V.Zero, s23 = V.Zero;
            int width = weight.Width, blocks = weight.Blocks, n = weight.Count;
            short* a = x + (long)i * width;
            sbyte* w = weight.Values(row);
            float* scales = weight.Scales(row), result = y + (long)i * n + row;
            for (int block = 0; block < blocks; block++, w += Size, a += Size, ahead += aheadStep)
            {
                AskFor(ahead, aheadStep);
                Step<M>(w, scales[block], a, width, ref s00, ref s10, ref s20);
                Step<M>(w + width, scales[blocks + block], a, width, ref s01, ref s11, ref s21);
                Step<M>(w + 2 * width, scales[2 * blocks + block], a, width, ref s02, ref s12, ref s22);
                Step<M>(w + 3 * width, scales[3 * blocks + block], a, width, ref s03, ref s13, ref s23);
            }

            V.SumEach(s00, s01, s02, s03, result);
            if (M.Count > 1)
                V.SumEach(s10, s11, s12, s13, result + n);
            if (M.Count > 2)
                V.SumEach(s20, s21, s22, s23, result + 2 * n);
        }

        // A block of one row of W with up to three rows of x.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Step<M>(sbyte* w, float scale, short* a, int width, ref V s0, ref V s1, ref V s2)
            where M : struct, IInputRows
        {
            V factor = V.Create(scale);
            s0 = V.MultiplyAdd(V.DotOf64(w, a), factor, s0);
            if (M.Count > 1)
                s1 = V.MultiplyAdd(V.DotOf64(w, a + width), factor, s1);
            if (M.Count > 2)
                s2 = V.MultiplyAdd(V.DotOf64(w, a + 2 * width), factor, s2);
        }

        private void MultiplyLast(int i, int row)
        {
            V sum = V.Zero;
            for (int block = 0; block < weight.Blocks; block++)
            {
                sum = V.MultiplyAdd(
                    V.DotOf64(weight.Values(row) + block * Size, x + (long)i * weight.Width + block * Size),
                    V.Create(weight.Scales(row)[block]), sum);
            }

            float* sums = stackalloc float[GroupRows];
            V.SumEach(sum, V.Zero, V.Zero, V.Zero, sums);
            y[(long)i * weight.Count + row] = sums[0];
        }

        // y = y scale + bias, for all of the item: a row of W is too short to stop at.
        private void Finish(int i, int row, int count)
        {
            V scale = V.Create(xScales[i]);
            float* result = y + (long)i * weight.Count + row;
            for (int j = 0; j < count; j += V.Width)
            {
                V offset = bias is null ? V.Zero : V.Load(bias + row + j, count - j);
                V.Store(result + j, V.MultiplyAdd(V.Load(result + j, count - j), scale, offset), count - j);
            }
        }
    }
}
