
namespace TinyLlm.Cli;

/// <summary>How this program was called, so that the commands it suggests can be copied as they stand.</summary>
internal static class Launcher
{
    private const string Name = "tinyllm", FromSources = "dotnet run -c Release --project src/Cli --";

    // The .NET command line sets it for MSBuild, and what dotnet run starts inherits it.
    private const string DotnetVariable = "MSBUILDFAILONDRIVEENUMERATINGWILDCARD";

    /// <summary>What the suggested commands begin with.</summary>
    public static string Command { get; } = Describe(
        Environment.ProcessPath ?? Name, Environment.GetCommandLineArgs()[0], Folder,
        Environment.GetEnvironmentVariable("PATH")
        ?? "", Environment.GetEnvironmentVariable(DotnetVariable) is not null);

    private static string Folder
    {
        get
        {
            try
            {
                return Environment.CurrentDirectory;
            }
            catch (IOException)
            {
                return Path.GetTempPath(); // the folder was removed: no path begins there
            }
        }
    }

    /// <summary>The name or path by which the program can be called again.</summary>
    /// <param name="process">The file that runs: the program's own, or that of <c>dotnet</c>.</param>
    /// <param name="assembly">The program's assembly or file.</param>
    /// <param name="folder">The current folder.</param>
    /// <param name="path">Where the shell looks for programs.</param>
    /// <param name="isBelowDotnet">Whether the .NET command line may have started it.</param>
    public static string Describe(string process, string assembly, string folder, string path, bool isBelowDotnet)
    {
        bool isOwn = Path.GetFileNameWithoutExtension(process) == Name;
        string built = Path.Combine(folder, "src", "Cli", "bin", "Release") + Path.DirectorySeparatorChar;
        if (isOwn && isBelowDotnet && process.StartsWith(built, StringComparison.Ordinal))
            return FromSources;
        if (!isOwn)
            return $"{Path.GetFileNameWithoutExtension(process)} {Shell.Quote(FromHere(assembly, folder, ""))}";
        return path.Split(Path.PathSeparator).Any(place => IsSame(place, process)) ? Name
            : Shell.Quote(FromHere(process, folder, $".{Path.DirectorySeparatorChar}"));
    }

    private static bool IsSame(string place, string process)
    {
        if (place.Length == 0)
            return false;
        string file = Path.GetFullPath(Path.Combine(place, Path.GetFileName(process)));
        return file == process
            || (File.Exists(file) && File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName == process);
    }

    // A path below the current folder is shorter from here; the shell wants a folder before a program's name.
    private static string FromHere(string file, string folder, string prefix)
    {
        string below = Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar;
        return file.StartsWith(below, StringComparison.Ordinal) ? prefix + file[below.Length..] : file;
    }
}
