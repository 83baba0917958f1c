using System.Collections;
using System.Runtime.InteropServices;
using TinyLlm.Bench.Processes;

namespace TinyLlm.Bench;

/// <summary>What libtorch needs before its first call: an allocator tuned for it, and a native part that this system can load.</summary>
internal static partial class NativeSetup
{
    /// <summary>
    /// Variables for glibc's allocator. libtorch allocates every result anew; by default glibc maps and unmaps the large ones, and each page
    /// faults again at its first touch. So: never map, never give back, grow in large steps. And one arena for all threads: of several, what the backward
    /// pass's thread frees in one is not there for the next forward pass in another, and memory grows from step to step.
    /// </summary>
    public static readonly (string Name, string Value)[] Tunables =
    [
        ("MALLOC_MMAP_MAX_", "0"),
        ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
        ("MALLOC_TOP_PAD_", "67108864"),
        ("MALLOC_ARENA_MAX", "1"),
    ];

    /// <summary>
    /// Makes this process ready for libtorch. Starts this program anew in the same process with the allocator's tunables, unless they are set: glibc reads
    /// them only when a program starts. Then mends TorchSharp.
    /// </summary>
    public static void Prepare()
    {
        if (Environment.GetEnvironmentVariable(Tunables[0].Name) is null)
            RestartTuned();
        MendTorchSharp();
    }

    /// <summary>
    /// Lets TorchSharp's native part load on a system whose libstdc++ is older than GCC 13's (see <see cref="TorchSharpMend"/>). Does
    /// nothing elsewhere, and nothing the second time.
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
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value);
        foreach (var (name, value) in Tunables)
            environment.TryAdd(name, value);
        string[] arguments = OwnProgram.Arguments(Environment.GetCommandLineArgs()[1..]);
        _ = Execve(OwnProgram.Path, [OwnProgram.Path, .. arguments, null], [.. environment.Select(e => $"{e.Key}={e.Value}"), null]);
        Console.Error.WriteLine("The allocator could not be tuned; libtorch may be slower than it can be.");
    }

    // Returns only when it fails. Both arrays end with null.
    [LibraryImport("libc", EntryPoint = "execve", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execve(string path, string?[] arguments, string?[] environment);
}
