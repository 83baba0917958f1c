using System.Globalization;

namespace TinyLlm.Bench.Processes;

/// <summary>How this program is started, by itself or by the command <c>dotnet</c>.</summary>
internal static class OwnProgram
{
    /// <summary>The file to start.</summary>
    public static string Path => Environment.ProcessPath!;

    /// <summary>The arguments that make it run with <paramref name="arguments"/>.</summary>
    public static string[] Arguments(params string[] arguments) =>
        System.IO.Path.GetFileName(Path) == "dotnet" ? [typeof(OwnProgram).Assembly.Location, .. arguments] : arguments;

    /// <summary>The most memory that this process has had so far.</summary>
    public static long PeakBytes()
    {
        // "VmHWM:     12345 kB": the high-water mark of the resident set.
        string line = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(
            line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
