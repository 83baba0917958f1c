namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// How an operand of a product lies in memory: the distances between neighbours along its lines (A's rows, B's columns)
/// and along its depth. One of them is 1.
/// </summary>
internal readonly record struct OperandLayout(int LineStride, int DepthStride)
{
    /// <summary>Lines of <paramref name="depth"/> elements, one after the other.</summary>
    public static OperandLayout DepthContiguous(int depth) => new(depth, 1);

    /// <summary>The transpose: neighbouring lines lie side by side, <paramref name="lines"/> of them.</summary>
    public static OperandLayout LineContiguous(int lines) => new(1, lines);
}

/// <summary>Sizes of a product (M, K) x (K, N), and how much of K a group sums.</summary>
internal readonly record struct ProductSize(int M, int N, int K, int DepthOfPart);
