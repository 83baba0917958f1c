using System.Text.RegularExpressions;
using TinyLlm.Kernels;
using TinyLlm.Tests.Support;
using TinyLlm.Tests.Support.Cuda;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// The machine code of every kernel, without a GPU: compiled to PTX, assembled for each architecture that it must run
/// on, and judged. TINYLLM_UPDATE_DOCS=1 rewrites the table in docs/gpu.md.
/// </summary>
public sealed partial class CudaKernelTests
{
    private static readonly IReadOnlyList<MarkedKernel> kernels =
        MarkedKernel.FindAll(typeof(Backend).Assembly.GetTypes());

    private static readonly Lazy<Dictionary<(string Kernel, string Target), Lazy<MachineCode>>> codes =
        new(AssembleAll);

    /// <summary>A row a kernel and architecture.</summary>
    public static IEnumerable<TheoryDataRow<string, string>> Rows =>
        from kernel in kernels
        from target in kernel.Targets
        select new TheoryDataRow<string, string>(kernel.ToString(), target.Name);

    [Theory]
    [MemberData(nameof(Rows))]
    public void MachineCode_IsSound(string kernelName, string targetName)
    {
        Assert.SkipWhen(Ptxas.Tool is null, Ptxas.WhyNot);
        var kernel = kernels.Single(kernel => kernel.ToString() == kernelName);
        var target = kernel.Targets.Single(target => target.Name == targetName);
        string[] faults = [.. CodeOf(kernel, target).Faults(kernel, target)];
        Assert.True(faults.Length == 0, $"{kernel} for {target}: {string.Join("; ", faults)}.");
    }

    /// <summary>
    /// ILGPU takes the integers of a condition that becomes a float, such as (a ? 1 : 0) * x, for the bits of the
    /// float: 1 is then 1.4e-45. The simulator is right, so only the text shows it.
    /// </summary>
    [Fact]
    public void NoCondition_BecomesAFloatByItsBits() => Assert.Equal([],
        kernels.Where(kernel => SmallestFloats().IsMatch(kernel.Ptx(kernel.Targets[0])))
        .Select(kernel => $"{kernel}: write 1f : 0f instead of 1 : 0"));

    [GeneratedRegex(@"\b0f0000000[1-9A-Fa-f]\b")]
    private static partial Regex SmallestFloats();

    [Fact]
    public void Documentation_HasTheTable()
    {
        Assert.SkipWhen(Ptxas.Tool is null, Ptxas.WhyNot);
        string version = Ptxas.Tool.Version, path = Path.Combine(Repository.Root!, "docs", "gpu.md"),
            document = File.ReadAllText(path);
        string table = KernelTable.Render(version, kernels, CodeOf);
        if (Environment.GetEnvironmentVariable("TINYLLM_UPDATE_DOCS") == "1")
            File.WriteAllText(path, document = KernelTable.Replace(document, table));

        string? documented = KernelTable.VersionOf(document);
        Assert.SkipUnless(documented is null || documented == version, "The table in docs/gpu.md is as ptxas "
            + $"{documented} assembles; this is {version}.");
        Assert.True(table == KernelTable.In(document), "docs/gpu.md is out of date; TINYLLM_UPDATE_DOCS=1 rewrites "
            + $"it.\n{Difference(KernelTable.In(document), table)}");
    }

    private static string Difference(string old, string wanted)
    {
        string[] before = old.Split('\n'), after = wanted.Split('\n');
        return string.Join(
            '\n', [.. before.Except(after).Select(line => $"- {line}"),
                .. after.Except(before).Select(line => $"+ {line}")]);
    }

    private static MachineCode CodeOf(MarkedKernel kernel, CudaTarget target) =>
        codes.Value[(kernel.ToString(), target.Name)].Value;

    private static Dictionary<(string Kernel, string Target), Lazy<MachineCode>> AssembleAll()
    {
        var all = new Dictionary<(string, string), Lazy<MachineCode>>();
        foreach (var kernel in kernels)
            foreach (var target in kernel.Targets)
            {
                all.Add((kernel.ToString(), target.Name),
                    new(() => Ptxas.Tool!.Assemble(kernel.Ptx(target), target, disassemble: kernel.Mark.Hot)));
            }

        Parallel.ForEach(
            all.Values, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, code =>
        {
            try
            {
                _ = code.Value;
            }
            catch (Exception)
            {
                // Kept by the Lazy: the kernel's own row throws it again.
            }
        });
        return all;
    }
}
