using System.Text;
using System.Text.RegularExpressions;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>
/// The table of what each kernel takes of a multiprocessor, which stands between two marks in a document.
/// </summary>
internal static partial class KernelTable
{
    private const string Start = "<!-- kernels -->\n", End = "<!-- /kernels -->";

    /// <summary>The table, as ptxas of this version assigns registers.</summary>
    public static string Render(
        string version, IEnumerable<MarkedKernel> kernels, Func<MarkedKernel, CudaTarget, MachineCode> codeOf)
    {
        var text = new StringBuilder();
        text.Append($"As ptxas {version} assembles them:\n\n");
        text.Append("| kernel | elements | threads | registers sm_80 | registers sm_90 | static shared bytes | "
            + "dynamic shared bytes | warps sm_80 | warps sm_90 |\n");
        text.Append("|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
        foreach (var kernel in kernels)
        {
            var codes = kernel.Targets.ToDictionary(
                target => target.Multiprocessor, target => (Target: target, Code: codeOf(kernel, target)));
            string Cell(Multiprocessor multiprocessor, Func<CudaTarget, MachineCode, string> value) =>
                codes.TryGetValue(multiprocessor, out var at) ? value(at.Target, at.Code) : "";
            string Registers(Multiprocessor multiprocessor) => Cell(multiprocessor, (_, code) => $"{code.Registers}");
            string Warps(Multiprocessor multiprocessor) =>
                Cell(multiprocessor,
                    (target, code) => $"{code.ResidentWarps(kernel, target)} / {Multiprocessor.MaxWarps}");

            text.Append($"| `{kernel.Name}` | {kernel.Elements} | {kernel.Mark.GroupSize} ");
            text.Append($"| {Registers(Multiprocessor.Sm80)} | {Registers(Multiprocessor.Sm90)} ");
            text.Append($"| {codes.Values.Max(at => at.Code.SharedBytes)} | {kernel.Mark.DynamicSharedBytes} ");
            text.Append($"| {Warps(Multiprocessor.Sm80)} | {Warps(Multiprocessor.Sm90)} |\n");
        }

        return text.ToString();
    }

    /// <summary>The version of ptxas that a document's table was made with; null where it names none.</summary>
    public static string? VersionOf(string document) =>
        Signature().Match(In(document)) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>The table in a document.</summary>
    public static string In(string document) => document[Place(document)];

    /// <summary>A document with another table.</summary>
    public static string Replace(string document, string table) =>
        string.Concat(
            document.AsSpan(0, Place(document).Start.Value), table, document.AsSpan(Place(document).End.Value));

    private static Range Place(string document)
    {
        int start = document.IndexOf(Start, StringComparison.Ordinal) + Start.Length,
            end = document.IndexOf(End, StringComparison.Ordinal);
        if (start < Start.Length || end < start)
            throw new FormatException($"The document must have the lines {Start.Trim()} and {End}, in this order.");
        return start..end;
    }

    [GeneratedRegex(@"\AAs ptxas (\S+) assembles them:")]
    private static partial Regex Signature();
}
