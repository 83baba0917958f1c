using System.Runtime.InteropServices;

namespace TinyLlm.Bench.Ops;

/// <summary>The system's OpenBLAS (Debian: libopenblas0-pthread), where there is one.</summary>
internal sealed unsafe class OpenBlas
{
    private const int RowMajor = 101, NoTranspose = 111, Transpose = 112;

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*,
        int, void> sgemm;

    private OpenBlas(nint library, int threads)
    {
        sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int,
            void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads"))(threads);
        nint text = ((delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "openblas_get_config"))();
        Description = Marshal.PtrToStringUTF8(text)!.Trim();
    }

    /// <summary>Version and processor, as it says itself.</summary>
    public string Description { get; }

    /// <summary>Opens it with so many threads; null where it is not installed.</summary>
    public static OpenBlas? TryOpen(int threads) =>
        NativeLibrary.TryLoad("libopenblas.so.0", out nint library) ? new OpenBlas(library, threads) : null;

    /// <summary>
    /// c (m, n) = a (m, k) b (k, n) + beta c. An operand that is transposed lies in memory with its sizes the other way
    /// round.
    /// </summary>
    public void MatMul(
        int m, int n, int k, Span<float> a, bool transposeA, Span<float> b, bool transposeB, float beta, Span<float> c)
    {
        fixed (float* pa = a, pb = b, pc = c)
            sgemm(RowMajor, transposeA ? Transpose : NoTranspose, transposeB ? Transpose
                : NoTranspose, m, n, k, 1, pa, transposeA ? m : k, pb, transposeB ? k : n, beta, pc, n);
    }
}
