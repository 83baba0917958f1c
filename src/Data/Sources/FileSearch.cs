using System.IO.Enumeration;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Finds the files of folders and globs, in the ordinal order of their paths. Hidden files and folders are left out,
/// unless the pattern names them; links to folders below the start are not followed, so that no circle of links is
/// walked.
/// </summary>
internal static class FileSearch
{
    private const string AnyFolders = "**";

    /// <summary>Whether a path is a pattern: it has * or ?.</summary>
    public static bool IsGlob(string path) => path.AsSpan().ContainsAny('*', '?');

    /// <summary>All files below a folder.</summary>
    public static List<string> Below(string folder) => Sorted(Walk(folder, [AnyFolders, "*"], 0));

    /// <summary>The files that a pattern names: * and ? within a name, ** for any number of folders.</summary>
    /// <exception cref="TinyLlmException">A folder cannot be read.</exception>
    public static List<string> Matching(string pattern)
    {
        string[] segments = pattern.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        int first = Array.FindIndex(segments, IsGlob);
        string root = string.Join(Path.DirectorySeparatorChar, segments[..first]);
        if (first > 0 && root.Length == 0)
            root = Path.DirectorySeparatorChar.ToString();
        return Sorted(Walk(root, [.. segments[first..].Where(segment => segment.Length > 0)], 0));
    }

    private static List<string> Sorted(IEnumerable<string> paths)
    {
        var sorted = paths.Distinct(StringComparer.Ordinal).ToList();
        sorted.Sort(StringComparer.Ordinal);
        return sorted;
    }

    private static IEnumerable<string> Walk(string folder, string[] segments, int at)
    {
        string segment = segments[at];
        bool isLast = at == segments.Length - 1;
        if (segment == AnyFolders)
        {
            // "a/**" means every file below a.
            foreach (string file in Walk(folder, isLast ? ["*"] : segments, isLast ? 0 : at + 1))
                yield return file;
            foreach (var child in Entries(folder, "*")
                .Where(entry => entry is DirectoryInfo && entry.LinkTarget is null))
            {
                foreach (string file in Walk(Path.Combine(folder, child.Name), segments, at))
                    yield return file;
            }

            yield break;
        }

        foreach (var entry in Entries(folder, segment))
        {
            string path = Path.Combine(folder, entry.Name);
            if (isLast && entry is FileInfo)
                yield return path;
            else if (!isLast && entry is DirectoryInfo)
            {
                foreach (string file in Walk(path, segments, at + 1))
                    yield return file;
            }
        }
    }

    private static List<FileSystemInfo> Entries(string folder, string name)
    {
        string real = folder.Length == 0 ? "." : folder;
        try
        {
            return new DirectoryInfo(real)
                .EnumerateFileSystemInfos(
                    "*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false })
                .Where(entry => FileSystemName.MatchesSimpleExpression(name, entry.Name, ignoreCase: false)
                && (name[0] == '.' || !IsHidden(entry)))
                .ToList();
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw new TinyLlmException($"{real}: the folder could not be read "
                + $"({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); check your rights to it.", e);
        }
    }

    private static bool IsHidden(FileSystemInfo entry) =>
        entry.Name[0] == '.' || (entry.Attributes & FileAttributes.Hidden) != 0;
}
