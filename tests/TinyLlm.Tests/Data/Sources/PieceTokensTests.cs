using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Pieces tokenized alone have the tokens of the whole document.</summary>
public class PieceTokensTests
{
    [Theory]
    [InlineData(1, 50)]
    [InlineData(2, 500)]
    [InlineData(3, 10_000)]
    public void Tokens_OfPiecesAreThoseOfTheWhole(int seed, long bytes)
    {
        using var folder = new TemporaryFolder();
        byte[] text = SourceReading.RandomText(new Random(seed), 20_000);
        Tokenizer tokenizer = BpeTrainer.Train(text, 600);
        var pieces =
            SourceReading.Pieces(SourceReading.Source(folder.Write("a.txt", text)).Units(bytes), new ReadReport());

        Assert.InRange(pieces.Count, 5, text.Length);
        Assert.Equal(tokenizer.Encode(text), pieces.SelectMany(piece => tokenizer.Encode(piece.Bytes.Span)));
    }

    [Fact]
    public void Tokens_OfALongDocumentAreThoseOfTheWhole()
    {
        using var folder = new TemporaryFolder();
        byte[] text = SourceReading.RandomText(new Random(4), 600_000);
        Tokenizer tokenizer = BpeTrainer.Train(text.AsSpan(0, 50_000), 400);
        string line = $"{{\"text\": {System.Text.Json.JsonSerializer.Serialize(Encoding.UTF8.GetString(text))}}}\n";
        var pieces =
            SourceReading.Pieces(SourceReading.Source(folder.Write("a.jsonl", line)).Units(), new ReadReport());

        Assert.InRange(pieces.Count, 2, 10);
        Assert.Equal(
            tokenizer.Encode(SourceReading.Join(pieces)),
            pieces.SelectMany(piece => tokenizer.Encode(piece.Bytes.Span)));
    }
}
