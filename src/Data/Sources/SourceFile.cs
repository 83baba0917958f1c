using ICSharpCode.SharpZipLib.GZip;
using ZstdSharp;

namespace TinyLlm.Data.Sources;

/// <summary>A file as it was when the sources were parsed.</summary>
/// <param name="Path">The path as messages show it.</param>
/// <param name="Length">Size on disk in bytes.</param>
/// <param name="Written">Time of the last write, UTC.</param>
/// <param name="Format">What its name tells.</param>
internal sealed record SourceFile(string Path, long Length, DateTime Written, SourceFormat Format)
{
    private const int BufferBytes = 1 << 16;

    /// <summary>The file on the disk, where that is another one: what was read from a pipe.</summary>
    public string OnDisk { get; init; } = Path;

    /// <summary>What tells its contents from others' where it is a copy of a pipe, whose time tells nothing; else
    /// null.</summary>
    public string? Checksum { get; init; }

    /// <summary>Looks at a file, or at what was read from a pipe (<see cref="SpooledInput"/>).</summary>
    /// <exception cref="TinyLlmException">It is missing or may not be looked at.</exception>
    public static SourceFile At(string path)
    {
        if (SpooledInput.Find(path) is { } spooled)
            return spooled;
        try
        {
            // A link's own length is that of the name it holds.
            var info = File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo ?? new FileInfo(path);
            return new SourceFile(path, info.Length, info.LastWriteTimeUtc, SourceFormat.Of(path));
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    /// <summary>
    /// Opens the file for reading, decompressed. It can seek if it is not compressed. Every error of the stream is one
    /// line for the user.
    /// </summary>
    /// <exception cref="TinyLlmException">It cannot be opened, or has another length than before.</exception>
    public Stream Open()
    {
        try
        {
            var stream = new FileStream(OnDisk, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
                bufferSize: 0);
            if (stream.Length == Length)
                return new SourceStream(Decompress(stream), Path);
            stream.Dispose();
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(Path, e);
        }

        throw Changed();
    }

    /// <summary>The error for a file that is not as it was when the work was planned.</summary>
    public TinyLlmException Changed() =>
        new($"{Path}: the file changed while it was being read (it had {Length:N0} bytes at the start); run again "
        + "when it is complete.");

    // .NET's GZipStream takes a file that is cut off for one that ends there; SharpZipLib's says so, and checks the
    // sums.
    private Stream Decompress(FileStream stream) => Format.Compression switch
    {
        Compression.Gzip => new GZipInputStream(stream, BufferBytes),
        Compression.Zstandard => new DecompressionStream(stream, BufferBytes, leaveOpen: false),
        _ => stream,
    };
}
