using System.Text.Json;

namespace TinyLlm.Data.Downloads;

/// <summary>
/// A download that is not whole: the bytes so far in NAME.part and their version in NAME.part-version, so that a later
/// run goes on where this one ended. The final name appears when the file is whole. One process at a time can have it
/// open.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    /// <summary>Ends the name of a download that is not whole.</summary>
    public const string Suffix = ".part";

    private FileStream? stream;

    private PartialFile(string path) => Path = path;

    /// <summary>The final name.</summary>
    public string Path { get; }

    /// <summary>Bytes so far.</summary>
    public long Length { get; private set; }

    /// <summary>Which version the bytes are of; null where there are none.</summary>
    public FileVersion? Version { get; private set; }

    /// <summary>Whether the bytes came in more than one piece.</summary>
    public bool IsPieced { get; private set; }

    /// <summary>All bytes so far, from the first.</summary>
    public Stream Content
    {
        get
        {
            Guard(() => stream!.Seek(0, SeekOrigin.Begin));
            return stream!;
        }
    }

    private string PartPath => Path + Suffix;

    private string VersionPath => PartPath + "-version";

    /// <summary>
    /// What an earlier run left of the file at <paramref name="path"/>; empty where it left nothing, or bytes from
    /// another address.
    /// </summary>
    public static PartialFile Open(string path, Uri url)
    {
        var part = new PartialFile(path);
        if (!File.Exists(part.PartPath))
            return part;
        part.Guard(() => part.stream = Open(part.PartPath));
        part.Version = part.ReadVersion();
        part.Length = part.stream!.Length;
        if (part.Version?.Url != url.AbsoluteUri)
            part.Clear();
        return part;
    }

    /// <summary>Begins anew with a version; makes missing folders.</summary>
    public void Begin(FileVersion version)
    {
        Clear();
        Guard(() =>
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!);
            stream ??= Open(PartPath);
            AtomicFile.WriteText(VersionPath, JsonSerializer.Serialize(version));
        });
        Version = version;
    }

    /// <summary>Goes on behind the bytes so far.</summary>
    public void GoOn()
    {
        IsPieced = true;
        Guard(() => stream!.Seek(0, SeekOrigin.End));
    }

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream!.Write(bytes);
            Length += bytes.Length;
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Writing(Path, exception, kept: false);
        }
    }

    /// <summary>Forgets all bytes.</summary>
    public void Clear()
    {
        Guard(() => stream?.SetLength(0));
        (Length, Version, IsPieced) = (0, null, false);
    }

    /// <summary>SHA-256 of the bytes, in lower-case hexadecimal digits.</summary>
    public Task<string> Sha256Async(CancellationToken stop) => FileSum.OfAsync(Content, Path, stop);

    /// <summary>The file is whole: gives it its final name.</summary>
    public void Complete()
    {
        Guard(() =>
        {
            stream!.Flush(flushToDisk: true);
            stream.Dispose();
            stream = null;
            File.Move(PartPath, Path, overwrite: true);
            File.Delete(VersionPath);
        });
    }

    /// <summary>Removes what there is of it.</summary>
    public void Delete()
    {
        Clear();
        Dispose();
    }

    /// <summary>Closes the file; one without bytes goes.</summary>
    public void Dispose()
    {
        if (stream is null)
            return;
        stream.Dispose();
        stream = null;
        if (Length > 0)
            return;
        File.Delete(PartPath);
        File.Delete(VersionPath);
    }

    private static FileStream Open(string path) =>
        new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);

    // A version that cannot be read is none: the download begins anew.
    private FileVersion? ReadVersion()
    {
        try
        {
            return JsonSerializer.Deserialize<FileVersion>(File.ReadAllBytes(VersionPath));
        }
        catch (Exception exception) when (exception is JsonException || FileErrors.Is(exception))
        {
            return null;
        }
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Writing(Path, exception, kept: false);
        }
    }
}
