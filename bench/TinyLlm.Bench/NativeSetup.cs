using System.Collections;
using System.Runtime.InteropServices;
using TinyLlm.Bench.Processes;

namespace TinyLlm.Bench;

/// <summary>
/// What libtorch needs before its first call: an allocator tuned for it, and a native part that this system can load.
/// </summary>
internal static partial class NativeSetup
{
    /// <summary>
    /// Makes this process ready for libtorch. Starts this program anew in the same process with a tuned allocator,
    /// unless its first variable is set: glibc reads them only when a program starts. Then mends TorchSharp.
    /// </summary>
    public static void Prepare()
    {
        if (Environment.GetEnvironmentVariable(Allocator.Tuned.Variables[0].Name) is null)
            RestartTuned();
        MendTorchSharp();
    }

    /// <summary>
    /// Lets TorchSharp's native part load on a system whose libstdc++ is older than GCC 13's (see
    /// <see cref="TorchSharpMend"/>). Does nothing elsewhere, and nothing the second time.
    /// </summary>
    public static void MendTorchSharp()
    {
        if (!NativeLibrary.TryLoad("libstdc++.so.6", out nint libstdcpp)
            || NativeLibrary.TryGetExport(libstdcpp, TorchSharpMend.NewSymbol, out _))
            return;

        string path = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");
        byte[] library = File.ReadAllBytes(path);
        if (!TorchSharpMend.Apply(library))
            return;

        // A rename, not a write in place: the build's copy may be a link to the package cache.
        string mended = path + ".mended";
        File.WriteAllBytes(mended, library);
        File.Move(mended, path, overwrite: true);
    }

    private static void RestartTuned()
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value);
        foreach (var (name, value) in Allocator.TunedHugePages.Variables)
            environment.TryAdd(name, value);
        string[] arguments = OwnProgram.Arguments(Environment.GetCommandLineArgs()[1..]);
        _ = Execve(OwnProgram.Path, [OwnProgram.Path, .. arguments, null],
            [.. environment.Select(e => $"{e.Key}={e.Value}"), null]);
        Console.Error.WriteLine("The allocator could not be tuned; libtorch may be slower than it can be.");
    }

    // Returns only when it fails. Both arrays end with null.
    [LibraryImport("libc", EntryPoint = "execve", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execve(string path, string?[] arguments, string?[] environment);
}
