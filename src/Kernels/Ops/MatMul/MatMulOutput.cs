namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// What a product on tensor cores does with its sums s: s += bias; s = GELU(s) or s GELU'(pre); s += addend; C = s,
/// rounded.
/// </summary>
[Flags]
internal enum MatMulOutput
{
    /// <summary>C and the addend are bf16, and nothing else.</summary>
    None = 0,

    /// <summary>C and the addend are single precision; bf16 otherwise. The pre-activations always are bf16.</summary>
    F32 = 1,

    /// <summary>pre = s, then s = GELU(s).</summary>
    Gelu = 2,

    /// <summary>s = s GELU'(pre).</summary>
    GeluSlope = 4,
}
