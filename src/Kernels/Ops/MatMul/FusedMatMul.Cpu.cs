namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void MatMulAddCore(Tensor x, Tensor weight, Tensor? bias, Tensor addend, Tensor y)
    {
        int m = x.Shape[0], k = x.Shape[1], n = weight.Shape[0];
        if (m <= MatVecKernel.MaxRows)
        {
            // The addend may lie where the result comes.
            float* product = SharedScratch(SharedPartials, (long)m * n);
            MatVec(Pointer(x), Pointer(weight), Pointer(bias), product, m, n, k);
            pool.Run(new AddKernel(Pointer(addend), product, Pointer(y), (long)m * n), Items((long)m * n, Chunk));
            return;
        }

        var (left, right) = (new Operand(Pointer(x), k), new Operand(Pointer(weight), k, transposed: true));
        if (Pointer(addend) == Pointer(y))
        {
            Multiply(m, n, k, left, right, Pointer(y), accumulate: true,
                new BiasEpilogue(Pointer(bias), Pointer(y), n));
        }
        else
        {
            Multiply(m, n, k, left, right, Pointer(y), accumulate: false,
                new AddEpilogue(Pointer(bias), Pointer(addend), Pointer(y), n));
        }
    }

    private protected override void MatMulGeluCore(Tensor x, Tensor weight, Tensor? bias, Tensor pre, Tensor y)
    {
        int m = x.Shape[0], k = x.Shape[1], n = weight.Shape[0];
        if (m <= MatVecKernel.MaxRows)
        {
            MatVec(Pointer(x), Pointer(weight), Pointer(bias), Pointer(pre), m, n, k);
            GeluCore(pre, y);
            return;
        }

        Multiply(m, n, k, new Operand(Pointer(x), k), new Operand(Pointer(weight), k, transposed: true), Pointer(pre),
            accumulate: false,
            new GeluEpilogue(Pointer(bias), Pointer(pre), Pointer(y), n));
    }

    private protected override void MatMulBackwardGeluCore(Tensor dy, Tensor weight, Tensor pre, Tensor dPre)
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = weight.Shape[1];
        Multiply(m, k, n, new Operand(Pointer(dy), n), new Operand(Pointer(weight), k), Pointer(dPre),
            accumulate: false,
            new GeluGradientEpilogue(Pointer(pre), Pointer(dPre), k));
    }
}
