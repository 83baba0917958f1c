using System.Buffers.Binary;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// What the first bytes of a token file say of the rest. llm.c's files, and those of modded-nanogpt, have 256 integers
/// of header: a magic number, a version, the number of tokens; nanoGPT's have none, and begin with ids.
/// </summary>
/// <param name="Bytes">Bytes before the ids.</param>
/// <param name="Width">Bytes of an id.</param>
/// <param name="Tokens">How many ids there should be; null where the file does not say.</param>
internal readonly record struct BinHeader(int Bytes, int Width, int? Tokens)
{
    /// <summary>Bytes of llm.c's header.</summary>
    public const int LlmCBytes = 256 * sizeof(int);

    // GPT-2's ids, and Llama 3's, as llm.c's dev/data/data_common.py writes them.
    private static readonly (int Magic, int Version, int Width)[] LlmC = [(20240520, 1, sizeof(ushort)),
        (20240801, 7, sizeof(uint))];

    // Beyond these integers a header has nothing but zeros: ids that are 0 four hundred times in a row are no text.
    private const int UsedIntegers = 16;

    // Below it, ids of a small file could be its number by chance.
    private const int LeastCount = 255;

    private static readonly (byte[] Start, string What)[] Formats =
    [
        ("GGUF"u8.ToArray(), "a GGUF model"), ("PAR1"u8.ToArray(), "a Parquet file"),
            ([0x93, .. "NUMPY"u8], "a NumPy array"), ([0x7F, .. "ELF"u8], "a program"),
        ("MMIDIDX"u8.ToArray(), "Megatron's index"), ("TLTOKENS"u8.ToArray(), "a shard of tinyllm tokenize"),
            ("ARROW1"u8.ToArray(), "an Arrow file"), ("SQLite format"u8.ToArray(), "a database"),
        ("%PDF"u8.ToArray(), "a PDF document"),
    ];

    /// <summary>Whether the file begins with a header of llm.c.</summary>
    public static bool IsLlmC(ReadOnlySpan<byte> head)
    {
        int magic = head.Length >= LlmCBytes ? Integer(head, 0) : 0;
        return Array.Exists(LlmC, known => known.Magic == magic);
    }

    /// <summary>Reads the header; null and the reason where this is none that is known, or another kind of
    /// file.</summary>
    /// <param name="head">The first bytes, at most <see cref="LlmCBytes"/>.</param>
    /// <param name="last">The last byte of the file.</param>
    /// <param name="length">Bytes of the file.</param>
    /// <param name="reason">What it is.</param>
    public static BinHeader? Read(ReadOnlySpan<byte> head, byte last, long length, out string reason)
    {
        reason = "";
        int magic = head.Length >= 12 ? Integer(head, 0) : 0, version = head.Length >= 12 ? Integer(head, 1) : 0;
        if (Array.Exists(LlmC, known => known.Magic == magic))
        {
            int form = Array.FindIndex(LlmC, known => known.Magic == magic && known.Version == version);
            if (form >= 0)
                return new BinHeader(LlmCBytes, LlmC[form].Width, Integer(head, 2));
            reason = $"a token file of llm.c with the magic number {magic} and version {version}; expected "
                + string.Join(" or ", LlmC.Select(known =>
                    $"{known.Magic} and version {known.Version} ({known.Width} bytes a token)"));
        }
        else if (OtherFormat(head, last, length) is { } what)
            reason = $"{what}; expected token ids";
        else if (IsUnknownHeader(head, length))
        {
            reason = $"a file with an unknown header (it begins with the number {magic}, then {version}); expected a "
                + "header of llm.c, or ids from the first byte on as nanoGPT writes them";
        }
        else
            return new BinHeader(0, sizeof(ushort), null);
        return null;
    }

    private static string? OtherFormat(ReadOnlySpan<byte> head, byte last, long length)
    {
        foreach (var (start, what) in Formats)
        {
            if (head.StartsWith(start))
                return what;
        }

        if (UnreadFormat.ByHead(head) is { } archive)
            return archive == "a ZIP archive" ? "a ZIP archive, as PyTorch writes weights" : archive;
        if (head.Length > 9 && BinaryPrimitives.ReadUInt64LittleEndian(head) <= (ulong)length
            && head[8..].StartsWith("{\""u8))
            return "a safetensors file";

        // A pickle says its protocol, goes on with one of its opcodes and ends with a full stop; ids do so by rare
        // chance.
        if (head.Length > 2 && head[0] == 0x80 && head[1] is >= 2 and <= 5 && IsOpcode(head[2])
            && (last == '.' || head[2] == 0x8A))
            return "a pickle of Python, as older PyTorch writes weights";
        return head.Length >= 64 && IsText(head) ? "text" : null;
    }

    // An empty dictionary or list, a mark, a name, a text, a frame, a long number.
    private static bool IsOpcode(byte b) =>
        b is (byte)'}' or (byte)']' or (byte)'(' or (byte)'c' or (byte)'X' or 0x95 or 0x8A;

    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (byte b in head)
        {
            if (b is not (>= 32 and < 127 or (byte)'\n' or (byte)'\r' or (byte)'\t'))
                return false;
        }

        return true;
    }

    private static bool IsUnknownHeader(ReadOnlySpan<byte> head, long length)
    {
        // llm.c's magic numbers are dates.
        if (head.Length >= 12 && IsDate(Integer(head, 0)) && Integer(head, 1) is >= 0 and < 1000)
            return true;
        if (length > LlmCBytes && head.Length >= LlmCBytes && Integer(head, 0) != 0
            && head[(UsedIntegers * sizeof(int))..LlmCBytes].IndexOfAnyExcept((byte)0) < 0)
            return true;

        // The number of ids, among the first integers, that fits what the file has behind a header of a usual length.
        for (int i = 1; i < 8 && (i + 1) * sizeof(int) <= head.Length; i++)
        {
            foreach (int bytes in (ReadOnlySpan<int>)[8, 12, 16, 20, 24, 32, 64, 128, 256, 512, 1024])
            {
                long count = Integer(head, i);
                if (count > LeastCount && bytes >= (i + 1) * sizeof(int) && (length == bytes + count * sizeof(ushort)
                    || length == bytes + count * sizeof(uint)))
                    return true;
            }
        }

        return false;
    }

    private static bool IsDate(int number) =>
        number / 10000 is >= 2020 and < 2040 && number / 100 % 100 is >= 1 and <= 12 && number % 100 is >= 1 and <= 31;

    private static int Integer(ReadOnlySpan<byte> head, int place) =>
        BinaryPrimitives.ReadInt32LittleEndian(head[(place * sizeof(int))..]);
}
