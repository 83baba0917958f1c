using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class ByteLevelBpeTokenizerTests
{
    private static readonly ByteLevelBpeTokenizer bpe = TrainOnSamples();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Encode_MergesAsTheTextbook(bool withInvalid)
    {
        for (int seed = 0; seed < 500; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 60, withInvalid);
            int[] ids = bpe.Encode(text);
            Assert.Equal(Textbook(text), ids);
            Assert.Equal(text, bpe.Decode(ids));
        }
    }

    [Fact]
    public void Encode_OfAnyBytes_RoundTrips()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var text = new byte[seed * 7];
            new Random(seed).NextBytes(text);
            Assert.Equal(text, bpe.Decode(bpe.Encode(text)));
        }
    }

    [Fact]
    public void Encode_OfInvalidBytes_GivesSingleByteTokens()
    {
        int[] ids = bpe.Encode([(byte)'a', 0xE4, 0xBD, 0xFF, (byte)'b']);
        Assert.Equal(['a', 0xE4, 0xBD, 0xFF, 'b'], ids);
    }

    [Fact]
    public void Encode_OfSpecialNames_GivesNoSpecialToken()
    {
        foreach (string name in Tokenizer.SpecialTokens)
        {
            int[] ids = bpe.Encode($"x{name}{name} {name}\n");
            Assert.All(ids, id => Assert.InRange(id, 0, bpe.EndOfText - 1));
            Assert.Equal($"x{name}{name} {name}\n", Encoding.UTF8.GetString(bpe.Decode(ids)));
        }
    }

    [Fact]
    public void Encode_WhereItIsAllowed_TakesTheLongestSpecialName()
    {
        var added = new AddedTokens(
            [new AddedToken("<|endoftext|>", 256), new AddedToken("<a>", 257), new AddedToken("<a><b>", 258),
            new AddedToken("\u4F60\u597D", 259)]);
        var tokens = Enumerable.Range(0, 256).Select(b => new[] { (byte)b }).ToArray();
        var tokenizer = new ByteLevelBpeTokenizer(tokens, [], added, PreTokenizer.Gpt2);
        Assert.Equal(
            ['x', 257, 258, '<', 'b', '>', 256, '<', 259],
            tokenizer.Encode(Encoding.UTF8.GetBytes("x<a><a><b><b><|endoftext|><\u4F60\u597D"), allowSpecial: true));
        Assert.Equal([257], tokenizer.Encode("<a>"u8, allowSpecial: true));
        Assert.Equal(['<', 'a', '>'], tokenizer.Encode("<a>"u8));
        Assert.Empty(tokenizer.Encode([], allowSpecial: true));
    }

    [Fact]
    public void Encode_DoesNotNormalise()
    {
        foreach (string text in (string[])["e\u0301", "\u00E9", "\u212B", "\uFB01", "\uFEFFa", "a\r\nb", "\0"])
            Assert.Equal(Encoding.UTF8.GetBytes(text), bpe.Decode(bpe.Encode(text)));
    }

    // Around the length at which words go to our own merging: the ids may not depend on the way.
    [Fact]
    public void Encode_OfLongWords_MergesAsTheTextbook()
    {
        var random = new Random(3);
        foreach (int length in (int[])[510, 511, 512, 513, 514, 700, 1500])
        {
            string word = string.Concat(Enumerable.Range(0, length).Select(_ => "thxyinge"[random.Next(8)]));
            string text = $"the {word} \u4F60\u597D the{word}ing\n{word}";
            Assert.Equal(Textbook(Encoding.UTF8.GetBytes(text)), bpe.Encode(text));
        }
    }

    // More distinct words than are remembered, twice: what is remembered never changes an id.
    [Fact]
    public void Encode_OfMoreWordsThanAreRemembered_GivesTheSameIds()
    {
        byte[] text = Encoding.UTF8.GetBytes(
            string.Concat(
                Enumerable.Range(0, 200_000)
                .Select(i =>
                    $" the{(char)('a' + i % 26)}{(char)('a' + i / 26 % 26)}{(char)('a' + i / 676 % 26)}ing"
                    + $"{(char)('a' + i / 17576)}")));
        var fresh = (ByteLevelBpeTokenizer)bpe.ForAnotherThread();
        int[] ids = fresh.Encode(text);
        Assert.Equal(text, fresh.Decode(ids));
        Assert.Equal(ids, fresh.Encode(text));
        for (int start = 0; start < text.Length; start += 1000 * 9)
        {
            byte[] part = text[start..Math.Min(text.Length, start + 9)];
            Assert.Equal(bpe.ForAnotherThread().Encode(part), fresh.Encode(part));
        }
    }

    [Fact]
    public void ForAnotherThread_EncodesAtTheSameTime()
    {
        byte[] text = TextSamples.Random(new Random(1), 20_000, withInvalid: true);
        int[] expected = bpe.Encode(text);
        var actual = new int[4][];
        Parallel.For(0, actual.Length, i => actual[i] = bpe.ForAnotherThread().Encode(text));
        Assert.All(actual, ids => Assert.Equal(expected, ids));
    }

    [Fact]
    public void Encode_OfNothing_IsEmpty() => Assert.Empty(bpe.Encode(""));

    [Fact]
    public void Ids_AreBytesThenMergesThenSpecialTokens()
    {
        for (int b = 0; b < 256; b++)
            Assert.Equal([(byte)b], bpe.TokenBytes(b).ToArray());
        Assert.Equal(256 + bpe.Merges.Count + 3, bpe.VocabularySize);
        Assert.Equal(
            "<|endoftext|><|im_start|><|im_end|>",
            Encoding.UTF8.GetString(bpe.Decode([bpe.EndOfText, bpe.TurnStart, bpe.TurnEnd])));
        Assert.Equal("bpe", bpe.Kind);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(100_000)]
    public void Decode_OfAnUnknownId_IsRefused(int id)
    {
        var e = Assert.Throws<TinyLlmException>(() => bpe.Decode([0, id]));
        Assert.Contains($"Token id {id} is not in the vocabulary", e.Message);
    }

    private static ByteLevelBpeTokenizer TrainOnSamples()
    {
        var counts = new PreTokenCounts();
        for (int seed = 0; seed < 100; seed++)
            counts.Add(TextSamples.Random(new Random(seed), 100, withInvalid: false));
        counts.Add("the thing they thought the xyxyxy\nthe thing they thought the xyxyxy\n"u8);
        return BpeTrainer.Train(counts, 600);
    }

    /// <summary>Applies every merge in turn to every pre-token.</summary>
    private static List<int> Textbook(byte[] text)
    {
        var result = new List<int>();
        var invalid = InvalidBytes(text);
        foreach (byte[]? preToken in TextSamples.PreTokens(text))
        {
            var ids = preToken == null ? [invalid.Dequeue()] : preToken.Select(b => (int)b).ToList();
            for (int rank = 0; rank < bpe.Merges.Count; rank++)
            {
                for (int i = 0; i + 1 < ids.Count; i++)
                {
                    if ((ids[i], ids[i + 1]) == bpe.Merges[rank])
                    {
                        ids[i] = 256 + rank;
                        ids.RemoveAt(i + 1);
                    }
                }
            }

            result.AddRange(ids);
        }

        return result;
    }

    private static Queue<byte> InvalidBytes(byte[] text)
    {
        var result = new Queue<byte>();
        for (int at = 0, length; at < text.Length; at += length)
        {
            if (Rune.DecodeFromUtf8(text.AsSpan(at), out _, out length) == System.Buffers.OperationStatus.Done)
                continue;
            foreach (byte b in text.AsSpan(at, length))
                result.Enqueue(b);
        }

        return result;
    }
}
