namespace TinyLlm.Kernels.Gpu;

/// <summary>Tensor cores finish their sums as they write them; elsewhere the two ops run one after the other.</summary>
internal sealed partial class GpuBackend
{
    private protected override void MatMulAddCore(Tensor x, Tensor weight, Tensor? bias, Tensor addend, Tensor y)
    {
        if (TryForward(x, weight, bias, y, Address(addend), pre: 0, MatMulOutput.None))
            return;
        bool inPlace = addend.Storage == y.Storage && addend.Offset == y.Offset;
        MatMul(x, weight, bias, y, accumulate: inPlace);
        if (!inPlace)
            AddCore(addend, y, y);
    }

    private protected override void MatMulGeluCore(Tensor x, Tensor weight, Tensor? bias, Tensor pre, Tensor y)
    {
        if (TryForward(x, weight, bias, y, addend: 0, Address(pre), MatMulOutput.Gelu))
            return;
        MatMulCore(x, weight, bias, pre);
        GeluCore(pre, y);
    }

    private protected override void MatMulBackwardGeluCore(Tensor dy, Tensor weight, Tensor pre, Tensor dPre)
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = weight.Shape[1];
        var call = new MatMulCall(
            Address(dy), Address(weight), Address(dPre), 0, 0, Address(pre), MatMulOutput.GeluSlope);
        if (dy.DType == DType.BF16
            && TryTensorCores(m, k, n, OperandLayout.DepthContiguous(n), OperandLayout.LineContiguous(k), call))
            return;
        MatMulBackwardInputCore(dy, weight, dPre, accumulate: false);
        GeluBackwardCore(dPre, pre, dPre);
    }

    private bool TryForward(Tensor x, Tensor weight, Tensor? bias, Tensor y, long addend, long pre, MatMulOutput output)
    {
        int m = x.Shape[0], k = x.Shape[1], n = weight.Shape[0];
        var contiguous = OperandLayout.DepthContiguous(k);
        return x.DType == DType.BF16 && m > MaxRowsOfMatVec
            && TryTensorCores(
                m, n, k, contiguous, contiguous,
                new MatMulCall(Address(x), Address(weight), Address(y), Address(bias), addend, pre, output));
    }
}
