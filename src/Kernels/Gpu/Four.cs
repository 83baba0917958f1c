namespace TinyLlm.Kernels.Gpu;

/// <summary>Four neighbours, read or written at once: 16 bytes.</summary>
internal readonly struct Four(float x, float y, float z, float w)
{
    public readonly float X = x, Y = y, Z = z, W = w;
}
