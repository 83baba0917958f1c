using System.IO.Compression;
using System.Security.Cryptography;

namespace TinyLlm.Data.Downloads;

/// <summary>
/// Takes a file out of a downloaded ZIP archive; it has its final name when it is whole and its sum is right.
/// </summary>
internal static class ZipUnpacking
{
    private const int BufferBytes = 1 << 17;

    /// <summary>Writes a member to <paramref name="path"/>; returns its size in bytes and its SHA-256.</summary>
    /// <param name="zip">The archive; stays open.</param>
    /// <param name="url">Where it came from, for messages.</param>
    /// <param name="member">What is taken.</param>
    /// <param name="path">Where it goes.</param>
    /// <param name="expected">The sum that it must have; null: any.</param>
    /// <exception cref="TinyLlmException">The archive is damaged or lacks the member, its sum is another, or it cannot
    /// be written.</exception>
    public static (long Bytes, string Sum) Unpack(
        Stream zip, string url, ZipMember member, string path, string? expected)
    {
        try
        {
            using var archive = new ZipArchive(zip, ZipArchiveMode.Read, leaveOpen: true);
            var entry = archive.GetEntry(member.Entry)
                ?? throw new TinyLlmException(
                    $"{url}: the archive has no {member.Entry}; it is not the file that this version of "
                    + "tinyllm knows.");
            (long Bytes, string Sum) written = default;
            AtomicFile.Write(path, target =>
            {
                using var source = entry.Open();
                written = Copy(source, target);
                if (written.Sum != (expected ?? written.Sum))
                {
                    throw new TinyLlmException(
                        $"{url}: {member.Entry} in it has SHA-256 {written.Sum}; expected {expected}. "
                        + "The file at the source is another one than before; --accept-new takes it as it is.");
                }
            });
            return written;
        }
        catch (InvalidDataException exception)
        {
            throw new TinyLlmException($"{url}: no valid ZIP archive "
                + $"({exception.Message.ReplaceLineEndings(" ").TrimEnd('.')}); it is not the file that this version "
                + "of tinyllm knows.", exception);
        }
    }

    private static (long Bytes, string Sum) Copy(Stream source, Stream target)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[BufferBytes];
        long bytes = 0;
        for (int read; (read = source.Read(buffer)) > 0; bytes += read)
        {
            hash.AppendData(buffer, 0, read);
            target.Write(buffer, 0, read);
        }

        return (bytes, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
