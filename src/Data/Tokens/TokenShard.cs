using System.IO.Hashing;

namespace TinyLlm.Data.Tokens;

/// <summary>A shard of tokens that is complete.</summary>
internal static class TokenShard
{
    /// <summary>What the name of a shard ends with.</summary>
    public const string Extension = ".tokens";

    private const string Remedy = "Remove it and prepare the data again.";

    /// <summary>Reads the header of a shard and checks that the file is as long as it says.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, is no shard, or is cut short.</exception>
    public static ShardHeader ReadHeader(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[ShardHeader.Size];
            int read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            var header = ShardHeader.Parse(bytes.AsSpan(0, read), out string reason)
                ?? throw new TinyLlmException($"{path}: {reason}. {Remedy}");
            return file.Length == header.FileLength
                ? header
                : throw new TinyLlmException($"{path}: {file.Length:N0} bytes; expected {header.FileLength:N0} for "
                    + $"the {header.Tokens:N0} tokens that its header names. {Remedy}");
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    /// <summary>Maps a shard.</summary>
    /// <exception cref="TinyLlmException">The file cannot be mapped.</exception>
    public static MappedTokens Map(string path, ShardHeader header) =>
        new(path, ShardHeader.Size, header.Tokens, header.Width, header.Checksum);

    /// <summary>
    /// Reads all of a shard and compares its checksum, at the speed of the disk or, when it was read before, of memory.
    /// </summary>
    /// <exception cref="TinyLlmException">The tokens are not those that were written.</exception>
    public static void Verify(string path, ShardHeader header)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            file.Position = ShardHeader.Size;
            var hash = new XxHash128();
            hash.Append(file);
            if (!hash.GetCurrentHash().AsSpan().SequenceEqual(header.Checksum))
            {
                throw new TinyLlmException($"{path}: the checksum of its tokens is "
                    + $"{Convert.ToHexStringLower(hash.GetCurrentHash())}; expected "
                    + $"{Convert.ToHexStringLower(header.Checksum)}; the file is damaged. {Remedy}");
            }
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }
}
