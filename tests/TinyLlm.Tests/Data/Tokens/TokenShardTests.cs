using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Tokens;

public class TokenShardTests
{
    private static readonly byte[] Tokenizer = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Theory]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(4, 65_536)]
    [InlineData(2, 200_001)]
    [InlineData(4, 200_001)]
    public void Tokens_ComeBack_FromAnyPlace(int width, int count)
    {
        using var folder = new TemporaryFolder();
        int[] tokens = new RandomValues(count)
            .Integers(Math.Max(1, count), 0, width == 2 ? 65_535 : int.MaxValue)[..count];
        var header = Write(folder["a.tokens"], width, tokens);

        Assert.Equal(["a.tokens"], folder.Names);
        Assert.Equal((count, width), (header.Tokens, header.Width));
        var read = TokenShard.ReadHeader(folder["a.tokens"]);
        Assert.Equal((7L, 8L, 9L), (read.Documents, read.TextBytes, read.BadLines));
        Assert.Equal(Tokenizer, read.TokenizerHash);
        TokenShard.Verify(folder["a.tokens"], read);
        using var mapped = TokenShard.Map(folder["a.tokens"], read);
        Assert.Equal(count, mapped.Count);
        var random = new Random(count);
        for (int i = 0; i < 20; i++)
        {
            int start = random.Next(count + 1), length = random.Next(count - start + 1);
            var part = new int[length];
            mapped.Read(start, part);
            Assert.Equal(tokens[start..(start + length)], part);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => mapped.Read(count, new int[1]));
    }

    [Fact]
    public void AShard_HasItsName_OnlyWhenItIsComplete()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new TokenShardWriter(folder["a.tokens"], 2, Tokenizer))
        {
            writer.Write([1, 2, 3]);
            Assert.DoesNotContain("a.tokens", folder.Names);
        }

        Assert.Empty(folder.Names);
    }

    [Theory]
    [InlineData(0, "does not begin as a shard")]      // magic
    [InlineData(8, "version")]
    [InlineData(12, "header is damaged")]             // bytes of a token
    [InlineData(16, "for the")]                       // number of tokens
    [InlineData(48, "checksum")]
    [InlineData(128, "checksum")]                     // the first token
    [InlineData(327, "checksum")]                     // the last
    public void ADamagedByte_IsSeen(int place, string part)
    {
        using var folder = new TemporaryFolder();
        Write(folder["a.tokens"], 2, Enumerable.Range(0, 100).ToArray());
        byte[] bytes = File.ReadAllBytes(folder["a.tokens"]);
        Assert.Equal(328, bytes.Length);
        bytes[place] ^= 0x10;
        File.WriteAllBytes(folder["a.tokens"], bytes);

        UserError.Expect(
            () => TokenShard.Verify(folder["a.tokens"], TokenShard.ReadHeader(folder["a.tokens"])), "a.tokens", part);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(327)]
    [InlineData(330)]
    public void AnotherLength_IsSeen(int length)
    {
        using var folder = new TemporaryFolder();
        Write(folder["a.tokens"], 2, Enumerable.Range(0, 100).ToArray());
        using (var file = File.OpenWrite(folder["a.tokens"]))
            file.SetLength(length);

        UserError.Expect(() => TokenShard.ReadHeader(folder["a.tokens"]), "a.tokens");
    }

    private static ShardHeader Write(string path, int width, int[] tokens)
    {
        using var writer = new TokenShardWriter(path, width, Tokenizer);
        var random = new Random(1);
        for (int place = 0; place < tokens.Length;)
        {
            int count = Math.Min(tokens.Length - place, random.Next(1, 50_000));
            writer.Write(tokens.AsSpan(place, count));
            place += count;
        }

        return writer.Complete(7, 8, 9);
    }
}
