namespace TinyLlm.Data.Downloads;

/// <summary>Says before a download that the disk has no room for it.</summary>
internal static class DiskSpace
{
    /// <summary>
    /// Checks that <paramref name="bytes"/> more fit on the disk of a file or folder, which need not exist yet.
    /// </summary>
    /// <exception cref="TinyLlmException">They do not.</exception>
    public static void Check(string path, long bytes, DownloadSettings settings)
    {
        string folder = Path.GetFullPath(path);
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } parent)
            folder = parent;
        long free = settings.FreeBytes(folder);
        if (bytes > free)
        {
            throw new TinyLlmException($"{path}: needs {bytes:N0} bytes more, and its disk has {free:N0} free; free "
                + "some space, or choose a folder on another disk with --out.");
        }
    }
}
