using System.Text;

namespace TinyLlm.Data.Sources;

/// <summary>How the text of a file is encoded.</summary>
/// <param name="Encoding">What to convert to UTF-8 from; null: bytes are taken as they are.</param>
/// <param name="MarkBytes">Length of the byte order mark, which is no text.</param>
internal readonly record struct TextEncoding(Encoding? Encoding, int MarkBytes)
{
    /// <summary>How many bytes of a file <see cref="Detect"/> looks at.</summary>
    public const int HeadBytes = 4096;

    // Below this, a text of a few bytes could be taken for UTF-16.
    private const int LeastPairs = 16;

    /// <summary>The encoding of that name; null for UTF-8 and ASCII, whose bytes are taken as they are.</summary>
    /// <exception cref="TinyLlmException">There is no encoding of that name.</exception>
    public static Encoding? Named(string name)
    {
        string known = name.StartsWith("utf", StringComparison.OrdinalIgnoreCase) && name.Length > 3
            && char.IsAsciiDigit(name[3]) ? $"utf-{name[3..]}" : name;
        try
        {
            var encoding = CodePagesEncodingProvider.Instance.GetEncoding(known) ?? Encoding.GetEncoding(known);
            return encoding.CodePage is 65001 or 20127 ? null : encoding;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new TinyLlmException($"--encoding {name}: there is no such encoding; expected a name such as utf-8, "
                + "utf-16, latin1, windows-1252, shift_jis or gb18030.", e);
        }
    }

    /// <summary>The encoding of a file, which is decompressed for that.</summary>
    /// <param name="file">The file.</param>
    /// <param name="named">The encoding of files without a byte order mark, by its name.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, or its first bytes are those of an
    /// archive.</exception>
    public static TextEncoding Of(SourceFile file, string? named)
    {
        byte[] head = new byte[HeadBytes];
        using Stream stream = file.Open();
        int length = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);

        // The first bytes tell what a name may not.
        if (UnreadFormat.ByHead(head.AsSpan(0, length)) is { } what)
            throw UnreadFormat.Refusal(file.Path, what);
        return Detect(head.AsSpan(0, length), named);
    }

    /// <summary>Opens a file of this encoding, decompressed, as UTF-8 and behind the byte order mark.</summary>
    /// <param name="file">The file.</param>
    /// <param name="replacement">Notes whether there were bytes that the encoding does not know.</param>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public Stream Open(SourceFile file, NotedReplacement replacement)
    {
        Stream stream = file.Open();
        stream.ReadExactly(stackalloc byte[MarkBytes]);
        if (Encoding is null)
            return stream;

        var noting = (Encoding)Encoding.Clone();
        noting.DecoderFallback = replacement;
        return Encoding.CreateTranscodingStream(
            stream, noting, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
    }

    /// <summary>
    /// The encoding of a file by its first bytes: what a byte order mark says, else <paramref name="named"/>, else
    /// UTF-16 if about every other byte is zero, else bytes as they are.
    /// </summary>
    public static TextEncoding Detect(ReadOnlySpan<byte> head, string? named)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
            return new TextEncoding(null, 3);
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE, 0, 0]))
            return new TextEncoding(new UTF32Encoding(bigEndian: false, byteOrderMark: false), 4);
        if (head.StartsWith((ReadOnlySpan<byte>)[0, 0, 0xFE, 0xFF]))
            return new TextEncoding(new UTF32Encoding(bigEndian: true, byteOrderMark: false), 4);
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]))
            return new TextEncoding(new UnicodeEncoding(bigEndian: false, byteOrderMark: false), 2);
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            return new TextEncoding(new UnicodeEncoding(bigEndian: true, byteOrderMark: false), 2);
        return new TextEncoding(named is null ? GuessUtf16(head) : Named(named), 0);
    }

    // Text in Latin letters has a zero in the high byte of most characters, and hardly one in the low byte.
    private static UnicodeEncoding? GuessUtf16(ReadOnlySpan<byte> head)
    {
        int pairs = head.Length / 2, evenZeros = 0, oddZeros = 0;
        for (int i = 0; i < 2 * pairs; i += 2)
        {
            evenZeros += head[i] == 0 ? 1 : 0;
            oddZeros += head[i + 1] == 0 ? 1 : 0;
        }

        if (pairs < LeastPairs || Math.Max(evenZeros, oddZeros) < pairs / 2
            || Math.Min(evenZeros, oddZeros) > pairs / 32)
            return null;
        return new UnicodeEncoding(bigEndian: evenZeros > oddZeros, byteOrderMark: false);
    }
}
