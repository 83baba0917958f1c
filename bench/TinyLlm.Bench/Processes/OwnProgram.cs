namespace TinyLlm.Bench.Processes;

/// <summary>How this program is started, by itself or by the command <c>dotnet</c>.</summary>
internal static class OwnProgram
{
    /// <summary>The file to start.</summary>
    public static string Path => Environment.ProcessPath!;

    /// <summary>The arguments that make it run with <paramref name="arguments"/>.</summary>
    public static string[] Arguments(params string[] arguments) =>
        System.IO.Path.GetFileName(Path) == "dotnet" ? [typeof(OwnProgram).Assembly.Location, .. arguments] : arguments;
}
