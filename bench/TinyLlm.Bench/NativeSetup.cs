using System.Collections;
using System.Runtime.InteropServices;

namespace TinyLlm.Bench;

/// <summary>What libtorch needs before its first call: an allocator tuned for it, and a native part that this system can load.</summary>
internal static partial class NativeSetup
{
    // libtorch allocates every result anew. By default glibc maps and unmaps the large ones, and each page faults again at its first
    // touch; so: never map, never give back, grow in large steps.
    private static readonly (string Name, string Value)[] Tunables =
    [
        ("MALLOC_MMAP_MAX_", "0"),
        ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
        ("MALLOC_TOP_PAD_", "67108864"),
    ];

    /// <summary>
    /// Starts this program anew in the same process with the allocator's tunables, unless they are set: glibc reads them only when a
    /// program starts. Returns where they are set, or are no concern of this system.
    /// </summary>
    public static void RestartTuned(string[] args)
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(Tunables[0].Name) is not null)
            return;

        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value);
        foreach (var (name, value) in Tunables)
            environment.TryAdd(name, value);

        string program = Environment.ProcessPath!;
        string[] hosted = Path.GetFileName(program) == "dotnet" ? [typeof(NativeSetup).Assembly.Location] : [];
        _ = Execve(program, [program, .. hosted, .. args, null], [.. environment.Select(e => $"{e.Key}={e.Value}"), null]);
        Console.Error.WriteLine("The allocator could not be tuned; libtorch may be slower than it can be.");
    }

    /// <summary>
    /// Lets TorchSharp's native part load on a system whose libstdc++ is older than GCC 13's (see <see cref="TorchSharpMend"/>). Does
    /// nothing elsewhere, and nothing the second time.
    /// </summary>
    public static void MendTorchSharp()
    {
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad("libstdc++.so.6", out nint libstdcpp)
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

    // Returns only when it fails. Both arrays end with null.
    [LibraryImport("libc", EntryPoint = "execve", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execve(string path, string?[] arguments, string?[] environment);
}
