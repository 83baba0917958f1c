using System.Security.Cryptography;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// All files below a folder with the hashes of their bytes: what a command that failed must leave as it was.
/// </summary>
public static class FolderContent
{
    /// <summary>One line a file or folder: its path and, of a file, the hash.</summary>
    public static string[] Of(string folder) =>
    [
        .. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
            .Select(path => $"{Path.GetRelativePath(folder, path)} {(File.Exists(path) ? HashOf(path) : "")}")
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The weights and the optimiser's state of two checkpoints have the same bytes.</summary>
    public static void SameCheckpoint(string expected, string actual)
    {
        string[] names = [.. Directory.GetFiles(expected, "*.safetensors").Select(path => Path.GetFileName(path)!)];
        Assert.Equal(2, names.Length);
        foreach (string name in names)
            SameFile(Path.Combine(expected, name), Path.Combine(actual, name));
    }

    /// <summary>Two files have the same bytes.</summary>
    public static void SameFile(string expected, string actual)
    {
        byte[] a = File.ReadAllBytes(expected), b = File.ReadAllBytes(actual);
        int differing = a.Zip(b).Count(pair => pair.First != pair.Second);
        Assert.True(a.AsSpan().SequenceEqual(b), $"{actual} differs from {expected}: {a.Length} and {b.Length} bytes, "
            + $"{differing} of them differ.");
    }

    /// <summary>Copies a folder with all that is in it.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }

    private static string HashOf(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));
}
