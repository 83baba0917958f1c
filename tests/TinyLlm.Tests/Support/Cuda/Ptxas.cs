using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>
/// NVIDIA's assembler. What it says of a text is kept beside it, so that a kernel that did not change is not assembled
/// again.
/// </summary>
internal sealed partial class Ptxas
{
    private static readonly Lazy<(Ptxas? Tool, string WhyNot)> found = new(Find);

    private readonly string folder;
    private readonly string kept;

    private Ptxas(string folder, string kept)
    {
        (this.folder, this.kept) = (folder, kept);
        Directory.CreateDirectory(kept);
        Version = VersionNumber().Match(Run("ptxas", "--version").Output).Value;
    }

    /// <summary>The assembler that <c>scripts/get-ptxas</c> finds or fetches; null where there is none.</summary>
    public static Ptxas? Tool => found.Value.Tool;

    /// <summary>Why there is none.</summary>
    public static string WhyNot => found.Value.WhyNot;

    /// <summary>Its version: another may assign other registers.</summary>
    public string Version { get; }

    /// <summary>Assembles a text with one kernel.</summary>
    /// <param name="disassemble">Whether to look for local memory in the machine code too, which takes half a
    /// second.</param>
    /// <exception cref="FormatException">The assembler refused it; the message has its words and the lines that they
    /// are about.</exception>
    public MachineCode Assemble(string ptx, CudaTarget target, bool disassemble)
    {
        string key = $"{Version} {target} {disassemble} {ptx}";
        string file = Path.Combine(kept, Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key))) + ".json");
        if (!File.Exists(file))
        {
            // Written beside and renamed: others may be reading or writing the same.
            string unfinished = $"{file}.{Path.GetRandomFileName()}";
            File.WriteAllText(unfinished, JsonSerializer.Serialize(AssembleAnew(ptx, target, disassemble)));
            File.Move(unfinished, file, overwrite: true);
        }

        var report = JsonSerializer.Deserialize<Report>(File.ReadAllText(file))!;
        return MachineCode.Parse(report.Log, report.LocalInstructions);
    }

    private Report AssembleAnew(string ptx, CudaTarget target, bool disassemble)
    {
        using var work = new TemporaryFolder();
        string source = work.Write("kernel.ptx", ptx), binary = work["kernel.cubin"];
        var assembled = Run("ptxas", "-v", $"-arch={target}", source, "-o", binary);
        string log = assembled.Output + assembled.Error;
        if (assembled.ExitCode != 0)
        {
            throw new FormatException(
                $"ptxas -arch={target} refuses the kernel:\n{Quote(log.Replace(source, "PTX"), ptx)}");
        }

        if (!disassemble)
            return new Report(log, null);

        var disassembled = Run("nvdisasm", "-c", binary);
        if (disassembled.ExitCode != 0)
            throw new InvalidOperationException($"nvdisasm failed: {disassembled.Error}");
        return new Report(log, LocalInstruction().Count(disassembled.Output));
    }

    private ExternalProgram Run(string program, params string[] arguments) =>
        ExternalProgram.Run(Path.Combine(folder, program), arguments);

    private static (Ptxas? Tool, string WhyNot) Find()
    {
        if (OperatingSystem.IsWindows())
            return (null, "scripts/get-ptxas needs a Unix shell");
        if (Repository.Root is not { } root)
            return (null, "the tests run away from scripts/get-ptxas");

        var script = ExternalProgram.Run(Path.Combine(root, "scripts", "get-ptxas"));
        return script.ExitCode switch
        {
            0 => (new Ptxas(script.Output.Trim(), Path.Combine(Cache, "machine-code")), ""),
            3 => (null, script.Error.Trim().Split('\n')[^1]),
            _ => throw new InvalidOperationException(
                $"scripts/get-ptxas failed with exit code {script.ExitCode}: {script.Error}"),
        };
    }

    /// <summary>The folder where scripts/get-ptxas keeps its own too.</summary>
    private static string Cache => Environment.GetEnvironmentVariable("TINYLLM_TOOLS") is { Length: > 0 } given
        ? given
        : Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } caches ? caches
            : Path.Combine(Home, ".cache"), "tinyllm");

    private static string Home => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    /// <summary>The assembler's first messages, each with the line of the text that it is about.</summary>
    private static string Quote(string log, string ptx)
    {
        string[] lines = ptx.Split('\n');
        return string.Join('\n', log.TrimEnd().Split('\n').Take(10).Select(message =>
            LineNumber().Match(message) is { Success: true } match
            ? $"{message}: {lines[int.Parse(match.Groups[1].ValueSpan) - 1].Trim()}" : message));
    }

    [GeneratedRegex(@"(?<=\bV)\d+\.\d+\.\d+")]
    private static partial Regex VersionNumber();

    [GeneratedRegex(@", line (\d+);")]
    private static partial Regex LineNumber();

    [GeneratedRegex(@"\b(LDL|STL)[. ]")]
    private static partial Regex LocalInstruction();

    /// <summary>
    /// What is kept of a text: all that ptxas printed, and how many loads and stores of local memory were seen.
    /// </summary>
    private sealed record Report(string Log, int? LocalInstructions);
}
