using System.Buffers.Binary;
using System.IO.Hashing;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Data.Tokens;

/// <summary>
/// Token files of other trainers, of 2 bytes a token: llm.c's shards (256 integers of header: 20240520, version 1, number of tokens), and nanoGPT's, which have no header.
/// They do not say which tokenizer made them.
/// </summary>
internal static class BinFile
{
    private const int LlmCMagic = 20240520, LlmCVersion = 1, LlmCHeaderBytes = 256 * sizeof(int), Width = sizeof(ushort);

    /// <summary>Maps a file, after it was read once: for a checksum, and to see that every id is in the vocabulary.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">Number of token ids of the model's tokenizer.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, is cut short, has another version, or has an id that the tokenizer has not.</exception>
    public static MappedTokens Map(string path, int vocabularySize)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            long offset = ReadHeader(path, file), bytes = file.Length - offset;
            if (bytes == 0 || bytes % Width != 0)
                throw new TinyLlmException($"{path}: {bytes} bytes of tokens; expected an even number above 0, 2 for each token. The file is cut short, or no token file.");
            file.Position = offset;
            return new MappedTokens(path, offset, bytes / Width, Width, Check(path, file, vocabularySize));
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static long ReadHeader(string path, FileStream file)
    {
        Span<byte> header = stackalloc byte[12];
        if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || BinaryPrimitives.ReadInt32LittleEndian(header) != LlmCMagic)
            return 0;

        int version = BinaryPrimitives.ReadInt32LittleEndian(header[4..]), tokens = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        if (version != LlmCVersion)
            throw new TinyLlmException($"{path}: a token file of llm.c of version {version}; expected version {LlmCVersion}, with 2 bytes a token.");
        if (file.Length != LlmCHeaderBytes + (long)tokens * Width)
            throw new TinyLlmException($"{path}: {file.Length:N0} bytes; expected {LlmCHeaderBytes + (long)tokens * Width:N0} for the {tokens:N0} tokens that its header names. The file is cut short; copy it again.");
        return LlmCHeaderBytes;
    }

    private static byte[] Check(string path, FileStream file, int vocabularySize)
    {
        var hash = new XxHash128();
        var buffer = new byte[1 << 20];
        int largest = 0;
        for (int read; (read = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0;)
        {
            hash.Append(buffer.AsSpan(0, read));
            for (int i = 0; i + 1 < read; i += Width)
                largest = Math.Max(largest, BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(i)));
        }

        return largest < vocabularySize
            ? hash.GetCurrentHash()
            : throw new TinyLlmException($"{path} has the token id {largest}; expected ids below {vocabularySize}, the size of the tokenizer's vocabulary. Name the tokenizer that the file was made with by --tokenizer.");
    }
}
