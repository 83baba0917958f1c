using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Ops;

/// <summary>How far a result may be from double precision, relative in norm.</summary>
internal static class Tolerance
{
    /// <summary>
    /// Of one product whose result has this type: bf16 rounds it to 8 bits, which leaves about 2e-3; single precision
    /// alone would leave 1e-6, but its products may run as tf32 (11 bits of each operand).
    /// </summary>
    public static double OfProduct(DType result) => result == DType.BF16 ? 5e-3 : 1e-3;

    /// <summary>Of attention, whose probabilities are rounded on the way too.</summary>
    public static double OfAttention(DType dtype) => dtype == DType.BF16 ? 1.5e-2 : 2e-3;
}
