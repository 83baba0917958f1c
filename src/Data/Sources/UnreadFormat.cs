namespace TinyLlm.Data.Sources;

/// <summary>
/// Archives, and compressions that are not read: text may be inside, but what lies on the disk is none.
/// </summary>
internal static class UnreadFormat
{
    // Where a tar archive has its magic, behind the header's first fields.
    private const int TarPlace = 257;

    // The longest ending first: a.tar.gz is no gzipped text.
    private static readonly (string Ending, string Name)[] Endings =
    [
        (".tar.gz", "a tar archive"), (".tar.zst", "a tar archive"), (".tar.xz", "a tar archive"),
            (".tar.bz2", "a tar archive"),
        (".tgz", "a tar archive"), (".txz", "a tar archive"), (".tbz2", "a tar archive"), (".tar", "a tar archive"),
        (".zip", "a ZIP archive"), (".7z", "a 7-Zip archive"), (".rar", "a RAR archive"), (".xz", "compressed by xz"),
        (".bz2", "compressed by bzip2"),
    ];

    /// <summary>What a file is by the end of its name; null if it may be read.</summary>
    public static string? ByName(string path) =>
        Array.Find(Endings, known => path.EndsWith(known.Ending, StringComparison.OrdinalIgnoreCase)).Name;

    /// <summary>
    /// What a file of text is by its first bytes, whatever its name; null if they are no known magic.
    /// </summary>
    public static string? ByHead(ReadOnlySpan<byte> head) =>
        head.StartsWith("PK\u0003\u0004"u8) || head.StartsWith("PK\u0005\u0006"u8)
        || head.StartsWith("PK\u0007\u0008"u8) ? "a ZIP archive"
        : head.StartsWith((ReadOnlySpan<byte>)[0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) ? "a 7-Zip archive"
        : head.StartsWith("Rar!\u001A\u0007"u8) ? "a RAR archive"
        : head.StartsWith((ReadOnlySpan<byte>)[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) ? "compressed by xz"
        : head.Length > 9 && head.StartsWith("BZh"u8) && head[4..].StartsWith("1AY&SY"u8) ? "compressed by bzip2"
        : head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 8]) ? "compressed by gzip"
        : head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) ? "compressed by zstd"
        : head.Length > TarPlace && head[TarPlace..].StartsWith("ustar"u8) && head[..TarPlace].Contains((byte)0)
            ? "a tar archive"
        : null;

    /// <summary>The error for such a file.</summary>
    /// <param name="path">The file, as the user named it or as it was found.</param>
    /// <param name="what">What it is, as <see cref="ByName"/> or <see cref="ByHead"/> say.</param>
    public static TinyLlmException Refusal(string path, string what) =>
        new($"{path}: this is {what}; expected {SourceFormat.KnownKinds}. Unpack it and name what was in it.");
}
