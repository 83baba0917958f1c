using System.Text.RegularExpressions;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>What a kernel is compiled and assembled for.</summary>
/// <param name="Name">The assembler's name of it.</param>
/// <param name="Capability">The compute capability.</param>
/// <param name="Multiprocessor">What there is to run on.</param>
internal sealed partial record CudaTarget(string Name, int Capability, Multiprocessor Multiprocessor)
{
    public static readonly CudaTarget Sm80 = new("sm_80", 80, Multiprocessor.Sm80);
    public static readonly CudaTarget Sm90 = new("sm_90", 90, Multiprocessor.Sm90);

    /// <summary>With the instructions that only this architecture has, such as wgmma.</summary>
    public static readonly CudaTarget Sm90a = new("sm_90a", 90, Multiprocessor.Sm90);

    /// <summary>PTX for this target from what ILGPU compiled: ILGPU names no target above sm_80, which is enough for all but what only sm_90a has.</summary>
    public string Retarget(string ptx) => this == Sm90a ? TargetLine().Replace(ptx, $".target {Name}", 1) : ptx;

    public override string ToString() => Name;

    [GeneratedRegex(@"^\.target[ \t]+\S+", RegexOptions.Multiline)]
    private static partial Regex TargetLine();
}
