using System.Buffers;
using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class Utf8StreamerTests
{
    [Fact]
    public void Push_GivesAllThatIsKnown_AfterEveryByte()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            byte[] text = TextSamples.Random(random, 20, withInvalid: seed % 2 == 0);
            if (seed % 3 == 0)
                random.NextBytes(text);

            var streamer = new Utf8Streamer();
            var given = new StringBuilder();
            for (int end = 0; end < text.Length;)
            {
                int start = end;
                end = Math.Min(text.Length, start + random.Next(1, 5));
                given.Append(streamer.Push(text.AsSpan(start, end - start)));
                Assert.Equal(Known(text.AsSpan(0, end)), given.ToString());
            }

            given.Append(streamer.Flush());
            Assert.Equal(Encoding.UTF8.GetString(text), given.ToString());
            Assert.Equal("", streamer.Flush());
        }
    }

    [Fact]
    public void Push_NeverBreaksACharacter()
    {
        var streamer = new Utf8Streamer();
        Assert.Equal(["", "", "", "\U0001F600"], "\U0001F600"u8.ToArray().Select(b => streamer.Push([b])));
    }

    [Fact]
    public void Flush_ReplacesWhatIsIncomplete_AndStartsAfresh()
    {
        var streamer = new Utf8Streamer();
        Assert.Equal("a", streamer.Push([(byte)'a', 0xF0, 0x9F]));
        Assert.Equal("\uFFFD", streamer.Flush());
        Assert.Equal("b", streamer.Push("b"u8));
    }

    [Fact]
    public void Push_ToAStream_WritesUtf8()
    {
        using var output = new MemoryStream();
        var streamer = new Utf8Streamer();
        foreach (byte b in (byte[])[.. "\u00E9\u4F60"u8, 0xFF, .. "\U0001F600"u8, 0xE4])
            streamer.Push([b], output);
        streamer.Flush(output);
        Assert.Equal("\u00E9\u4F60\uFFFD\U0001F600\uFFFD"u8, output.ToArray());
    }

    /// <summary>The decoding of all but an unfinished character at the end.</summary>
    private static string Known(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        while (!bytes.IsEmpty
            && Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) != OperationStatus.NeedMoreData)
        {
            text.Append(rune.ToString());
            bytes = bytes[length..];
        }

        return text.ToString();
    }
}
