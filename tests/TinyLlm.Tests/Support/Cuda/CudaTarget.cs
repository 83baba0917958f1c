namespace TinyLlm.Tests.Support.Cuda;

/// <summary>What a kernel is compiled and assembled for.</summary>
/// <param name="Name">The assembler's name of it.</param>
/// <param name="Capability">The compute capability.</param>
/// <param name="Multiprocessor">What there is to run on.</param>
internal sealed record CudaTarget(string Name, int Capability, Multiprocessor Multiprocessor)
{
    public static readonly CudaTarget Sm80 = new("sm_80", 80, Multiprocessor.Sm80);
    public static readonly CudaTarget Sm90 = new("sm_90", 90, Multiprocessor.Sm90);

    /// <summary>With the instructions that only this architecture has, such as wgmma.</summary>
    public static readonly CudaTarget Sm90a = new("sm_90a", 90, Multiprocessor.Sm90);

    public override string ToString() => Name;
}
