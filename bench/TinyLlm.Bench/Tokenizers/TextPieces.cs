using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>A file in pieces that can be tokenized alone.</summary>
internal static class TextPieces
{
    /// <summary>Pieces of at most <paramref name="bytes"/> bytes. The next one overwrites the last.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(string path, int bytes)
    {
        using var file = File.OpenRead(path);
        var buffer = new byte[bytes];
        int length = 0;
        while (true)
        {
            length += file.ReadAtLeast(buffer.AsSpan(length), buffer.Length - length, throwOnEndOfStream: false);
            if (length < buffer.Length)
                break;
            int cut = TextCut.Any.Last(buffer);
            if (cut == 0)
                throw new InvalidOperationException($"{path}: expected a place to cut within {bytes} bytes.");
            yield return buffer.AsMemory(0, cut);
            buffer.AsSpan(cut).CopyTo(buffer);
            length -= cut;
        }

        yield return buffer.AsMemory(0, length);
    }
}
