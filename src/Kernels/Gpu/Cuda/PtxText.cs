using System.Reflection;
using ILGPU.Frontend;
using ILGPU.Frontend.Intrinsic;
using ILGPU.IR.Values;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Inline PTX whose text ordinary code makes. ILGPU takes inline PTX as a literal string only, but a warp's share of a
/// matrix product is dozens of instructions that differ in their registers' numbers. Here a loop on the host writes
/// them; a kernel names the text by a number that it reads from a static readonly field, which ILGPU takes for a
/// constant.
/// </summary>
internal static class PtxText
{
    private static readonly List<string> texts = [];

    /// <summary>
    /// The number of <paramref name="text"/>, to be kept in a static readonly field. Every statement in it ends with a
    /// semicolon; percent signs are doubled.
    /// </summary>
    public static int Add(string text)
    {
        lock (texts)
        {
            texts.Add(text);
            return texts.Count - 1;
        }
    }

    /// <summary>The text that <paramref name="number"/> stands for.</summary>
    public static string Get(int number)
    {
        lock (texts)
            return texts[number];
    }

    /// <summary>
    /// In a kernel: writes the text in this place. Values go in and out through registers that the text names.
    /// </summary>
    public static void Emit(int text) =>
        throw new NotSupportedException($"PtxText.Emit({text}) works in kernels compiled for CUDA only.");

    /// <summary>Tells ILGPU what <see cref="Emit"/> becomes; see <see cref="GpuContext"/>.</summary>
    public static void RegisterEmit()
    {
        MethodInfo emit = typeof(PtxText).GetMethod(nameof(Emit))!;
        MethodInfo emitLiteral = typeof(CudaAsm).GetMethod(nameof(CudaAsm.Emit), [typeof(string)])!;
        RemappedIntrinsics.AddRemapping(emit, (ref InvocationContext call) =>
        {
            if (call[0].Resolve() is not PrimitiveValue number)
            {
                throw new NotSupportedException(
                    "PtxText.Emit: the text's number must come from a static readonly field.");
            }

            call[0] = call.Builder.CreatePrimitiveValue(call.Location, Get(number.Int32Value));
            call.Method = emitLiteral;
        });
    }
}
