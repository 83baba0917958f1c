using System.Text.RegularExpressions;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>What the assembler made of a kernel. Sizes are of one thread, shared memory of a group.</summary>
/// <param name="Registers">32-bit registers.</param>
/// <param name="SpillBytes">Stores and loads of registers that did not suffice.</param>
/// <param name="StackBytes">Local memory: arrays, and operands whose address is taken.</param>
/// <param name="SharedBytes">Static shared memory.</param>
/// <param name="LocalInstructions">Loads and stores of local memory (LDL, STL); null where the code was not
/// disassembled.</param>
/// <param name="Advice">What the assembler says of lost speed, such as serialised wgmma.</param>
internal sealed partial record MachineCode(
    int Registers, int SpillBytes, int StackBytes, int SharedBytes, int? LocalInstructions, string Advice)
{
    /// <summary>Reads what <c>ptxas -v</c> printed of a text with one kernel.</summary>
    public static MachineCode Parse(string log, int? localInstructions)
    {
        // Functions that were not inlined have lines of their own beside the kernel's.
        var spills = SpillLine().Matches(log);
        var used = RegisterLine().Matches(log);
        if (spills.Count == 0 || used.Count == 0)
            throw new FormatException($"ptxas reports no registers: {log}");

        return new MachineCode(
            used.Max(match => Number(match, 1)),
            spills.Sum(match => Number(match, 2) + Number(match, 3)),
            spills.Sum(match => Number(match, 1)),
            SharedSize().Matches(log).Select(match => Number(match, 1)).DefaultIfEmpty().Max(),
            localInstructions,
            string.Join(' ', AdviceLine().Matches(log).Select(match => match.Value.Trim())));
    }

    /// <summary>What is wrong with this code of a kernel, a line each.</summary>
    public IEnumerable<string> Faults(MarkedKernel kernel, CudaTarget target)
    {
        if (SpillBytes > 0)
            yield return $"registers are spilled: {SpillBytes} bytes";
        if (ResidentWarps(kernel, target) == 0)
        {
            yield return $"no group fits on a multiprocessor: {kernel.Mark.GroupSize} threads of {Registers} "
                + "registers, "
                + $"{SharedBytes} + {kernel.Mark.DynamicSharedBytes} bytes of shared memory";
        }

        if (!kernel.Mark.Hot)
            yield break;

        if (StackBytes > 0 || LocalInstructions is not 0)
        {
            yield return $"a hot kernel uses local memory: {StackBytes} bytes, "
                + $"{LocalInstructions?.ToString() ?? "an unknown number of"} instructions";
        }

        if (Advice != "")
            yield return $"a hot kernel loses speed: {Advice}";
    }

    /// <summary>How many warps of a kernel are resident on a multiprocessor.</summary>
    public int ResidentWarps(MarkedKernel kernel, CudaTarget target) =>
        target.Multiprocessor.ResidentWarps(
            kernel.Mark.GroupSize, Registers, SharedBytes + kernel.Mark.DynamicSharedBytes);

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan);

    [GeneratedRegex(@"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex SpillLine();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex RegisterLine();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex SharedSize();

    [GeneratedRegex(@"^.*Performance Loss.*$", RegexOptions.Multiline)]
    private static partial Regex AdviceLine();
}
