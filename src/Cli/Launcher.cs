namespace TinyLlm.Cli;

/// <summary>How this program was called, so that the commands it suggests can be copied as they stand.</summary>
internal static class Launcher
{
    /// <summary>"tinyllm" where the program itself was started, "dotnet run ..." where it was started from the sources.</summary>
    public static string Command => Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "tinyllm" && !IsBuildOutput(path)
        ? "tinyllm"
        : "dotnet run -c Release --project src/Cli --";

    private static bool IsBuildOutput(string path) => path.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}Release", StringComparison.Ordinal);
}
