using System.Buffers.Binary;
using System.IO.Hashing;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// Token files of other trainers: llm.c's shards, whose header says whether an id has 2 bytes (GPT-2) or 4 (Llama 3),
/// and nanoGPT's of 2 bytes, which have no header. They do not say which tokenizer made them.
/// </summary>
internal static class BinFile
{
    // Whether ids are wider than they are taken for shows in the first of them.
    private const int LeastForWidth = 64;

    private const int LargestHighHalf = 3, SomeLowHalf = 255;

    /// <summary>Whether the first bytes of a file are a header of llm.c.</summary>
    public static bool HasHeader(ReadOnlySpan<byte> head) => BinHeader.IsLlmC(head);

    /// <summary>
    /// Maps a file, after it was read once: for a checksum, and to see that every id is in the vocabulary.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">Number of token ids of the model's tokenizer.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, is cut short or too long, is of another kind or
    /// version, or has an id that the tokenizer has not.</exception>
    public static MappedTokens Map(string path, int vocabularySize)
    {
        string onDisk = SpooledInput.Find(path)?.OnDisk ?? path;
        try
        {
            using var file = new FileStream(onDisk, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            var header = ReadHeader(path, file);
            long bytes = file.Length - header.Bytes;
            if (bytes == 0 || bytes % header.Width != 0)
            {
                throw new TinyLlmException($"{path}: {bytes:N0} bytes of tokens; expected an even number above 0, "
                    + $"{header.Width} for each token. The file is cut short, or no token file.");
            }

            file.Position = header.Bytes;
            return new MappedTokens(onDisk, header.Bytes, bytes / header.Width, header.Width,
                Check(path, file, header, vocabularySize));
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static BinHeader ReadHeader(string path, FileStream file)
    {
        byte[] head = new byte[BinHeader.LlmCBytes];
        int read = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        byte last = 0;
        if (read > 0)
        {
            file.Position = file.Length - 1;
            last = (byte)file.ReadByte();
        }

        var header = BinHeader.Read(head.AsSpan(0, read), last, file.Length, out string reason)
            ?? throw new TinyLlmException($"{path}: this is {reason}. Name a token file of llm.c or nanoGPT, or "
                + "prepare text by tinyllm tokenize.");
        if (header.Tokens is not { } tokens)
            return header;
        long expected = header.Bytes + (long)tokens * header.Width;
        if (tokens < 1)
        {
            throw new TinyLlmException($"{path}: its header names {tokens:N0} tokens; expected one or more. The file "
                + "is damaged; copy it again.");
        }

        if (file.Length != expected)
        {
            throw new TinyLlmException($"{path}: {file.Length:N0} bytes; expected {expected:N0} for the {tokens:N0} "
                + $"tokens of {header.Width} bytes that its header names. "
                + (file.Length < expected ? "The file is cut short; copy it again."
                    : "The file is longer than its header says; write it anew with the number of its tokens."));
        }

        return header;
    }

    private static byte[] Check(string path, FileStream file, BinHeader header, int vocabularySize)
    {
        var hash = new XxHash128();
        var buffer = new byte[1 << 20];
        uint largest = 0;
        for (int read; (read = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0;)
        {
            var ids = buffer.AsSpan(0, read);
            if (header is { Bytes: 0 } && file.Position == read)
                CheckWidth(path, ids);
            hash.Append(ids);
            largest = Math.Max(largest, header.Width == sizeof(uint) ? Largest4(ids) : Largest2(ids));
        }

        return largest < (uint)vocabularySize
            ? hash.GetCurrentHash()
            : throw new TinyLlmException($"{path} has the token id {largest}; expected ids below {vocabularySize}, "
                + "the size of the tokenizer's vocabulary. Name the tokenizer that the file was made with by "
                + "--tokenizer.");
    }

    private static uint Largest2(ReadOnlySpan<byte> ids)
    {
        uint largest = 0;
        for (int i = 0; i + 1 < ids.Length; i += sizeof(ushort))
            largest = Math.Max(largest, BinaryPrimitives.ReadUInt16LittleEndian(ids[i..]));
        return largest;
    }

    private static uint Largest4(ReadOnlySpan<byte> ids)
    {
        uint largest = 0;
        for (int i = 0; i + 3 < ids.Length; i += sizeof(uint))
            largest = Math.Max(largest, BinaryPrimitives.ReadUInt32LittleEndian(ids[i..]));
        return largest;
    }

    // Every second number next to nothing, the others not: the halves of ids of 4 bytes. Of ids of 8 bytes three in
    // four are 0.
    private static void CheckWidth(string path, ReadOnlySpan<byte> ids)
    {
        int count = ids.Length / sizeof(ushort), low = 0, high = 0;
        for (int i = 0; i < count; i++)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(ids[(i * sizeof(ushort))..]);
            (low, high) = i % 2 == 0 ? (Math.Max(low, id), high) : (low, Math.Max(high, id));
        }

        if (count >= LeastForWidth && high <= LargestHighHalf && low > SomeLowHalf)
        {
            throw new TinyLlmException($"{path}: every second of its numbers of 2 bytes is {LargestHighHalf} or less, "
                + "as if ids had 4 bytes or more; expected 2 bytes a token where there is no header. Write it with "
                + "llm.c's header for 4 bytes.");
        }
    }
}
