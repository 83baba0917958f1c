using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyLlm.Data;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Rows;

public class JsonArrayReaderTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Elements_AreThoseOfTheParser_WhereverTheBufferEnds(bool indented)
    {
        for (int seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            var array = new JsonArray([.. Enumerable.Range(0, random.Next(1, 8)).Select(_ =>
                (JsonNode?)Row(random, seed % 5 == 4 ? 90_000 : 300))]);
            string text = " \n" + array.ToJsonString(new JsonSerializerOptions { WriteIndented = indented }) + "\r\n\t";
            foreach (int step in (int[])[1, 7, 1 << 20])
            {
                if (step == 1 && text.Length > 20_000)
                    continue;
                List<string> read = [];
                foreach (var row in Read(text, step))
                {
                    Assert.Equal((read.Count + 1, "row"), (row.Place.Number, row.Place.Unit));
                    read.Add(Encoding.UTF8.GetString(row.Json.Span));
                }

                Assert.Equal(array.Count, read.Count);
                Assert.All(Enumerable.Range(0, read.Count), i =>
                    Assert.True(JsonNode.DeepEquals(array[i], JsonNode.Parse(read[i])),
                        $"seed {seed}, step {step}, row {i + 1}"));
            }
        }
    }

    [Fact]
    public void Lines_AreCounted()
    {
        var rows = Read("[\n  {\"a\": 1},\n\n  {\n\"a\":\n2}\n  ,7\n]", 3).ToList();
        Assert.Equal([2, 4, 7], rows.Select(row => row.FirstLine));
    }

    [Theory]
    [InlineData("[]", 0)]
    [InlineData("[ \n ]", 0)]
    [InlineData("[1, \"a ] \\\" , b\", null, [[]], {\"x\": \"}\"}]", 5)]
    public void AnyElements_AreTold(string text, int count) => Assert.Equal(count, Read(text, 2).Count());

    [Theory]
    [InlineData("[{\"a\": 1}", "row 1: the file ends within the array")]
    [InlineData("[{\"a\": 1},", "row 2: the file ends within the array")]
    [InlineData("[{\"a\": 1}, {\"a\": \"x", "row 2: the file ends within the array")]
    [InlineData("[{\"a\": \"x\\", "row 1: the file ends within the array")]
    [InlineData("[", "row 1: the file ends within the array")]
    [InlineData("[{\"a\": 1},]", "row 2: there is a comma, but no row behind it")]
    [InlineData("[,{\"a\": 1}]", "row 1: there is a comma, but no row behind it")]
    [InlineData("[{\"a\": 1} {\"a\": 2}]", "row 1: expected a comma or a closing bracket behind the row")]
    [InlineData("[{\"a\": 1}]\n[{\"a\": 2}]", "row 1: there is more behind the array")]
    public void Damage_IsNamed(string text, string part) => UserError.Expect(() => Read(text, 4).Count(), "a.json, "
        + part);

    private static IEnumerable<RowText> Read(string text, int step) =>
        new JsonArrayReader("a.json", new SlowStream(Encoding.UTF8.GetBytes(text), step)).Read();

    private static JsonObject Row(Random random, int longest)
    {
        var row = new JsonObject();
        for (int i = random.Next(5); i >= 0; i--)
        {
            row[$"f{i}\"{{"] = random.Next(4) switch
            {
                0 => JsonValue.Create(random.Next()),
                1 => new JsonArray(1, "]", null),
                2 => new JsonObject { ["}"] = "\\" },
                _ => JsonValue.Create(Text(random, random.Next(longest))),
            };
        }

        return row;
    }

    private static string Text(Random random, int length) =>
        string.Concat(Enumerable.Range(0, length).Select(_ => "\"\\{}[],: a\u00e9\n"[random.Next(12)]));

    // Gives some bytes at a time, as a pipe or a decompressor may.
    private sealed class SlowStream(byte[] bytes, int step) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(step, buffer.Length)]);
    }
}
