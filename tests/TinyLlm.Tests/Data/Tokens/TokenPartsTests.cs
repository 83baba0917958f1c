using TinyLlm.Data.Tokens;
using Xunit;

namespace TinyLlm.Tests.Data.Tokens;

public class TokenPartsTests
{
    [Fact]
    public void Pieces_AreReadAsOneStream()
    {
        var random = new Random(4);
        for (int round = 0; round < 200; round++)
        {
            var pieces = new List<(ITokens, long, long)>();
            var expected = new List<int>();
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                int[] tokens = Enumerable.Range(1000 * i, random.Next(0, 20)).ToArray();
                int first = random.Next(tokens.Length + 1), count = random.Next(tokens.Length - first + 1);
                pieces.Add((new TokenArray(tokens), first, count));
                expected.AddRange(tokens.AsSpan(first, count));
            }

            var joined = new TokenParts(pieces);
            Assert.Equal(expected.Count, joined.Count);
            int start = random.Next(expected.Count + 1), length = random.Next(expected.Count - start + 1);
            var part = new int[length];
            joined.Read(start, part);
            Assert.Equal(expected.GetRange(start, length), part);
        }
    }
}
