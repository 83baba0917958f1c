using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Parquet;
using Parquet.Serialization;
using TinyLlm.Data;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Rows;

public sealed class ParquetRowsTests : IDisposable
{
    private static readonly JsonSerializerOptions WithoutNulls = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", "parquet", name);

    [Fact]
    public async Task Rows_AreThoseThatWereWritten()
    {
        var random = new Random(5);
        Row[][] groups = [.. new[] { 40, 1, 300 }.Select(count => Enumerable.Range(0, count).Select(_ =>
            Random(random)).ToArray())];
        using (var file = File.Create(folder["rows.parquet"]))
        {
            foreach (var group in groups)
            {
                await ParquetSerializer.SerializeAsync(group, file, new ParquetOptions { Append = file.Length > 0 },
                    cancellationToken: TestContext.Current.CancellationToken);
            }
        }

        foreach (string ending in (string[])["", ".gz", ".zst"])
        {
            string path = folder.Write("rows.parquet" + ending,
                SourceReading.Compress(File.ReadAllBytes(folder["rows.parquet"]), ending));
            var expected = groups.SelectMany(group => group).ToList();
            int number = 0;
            foreach (var row in RowFile.Read(path))
            {
                Assert.Equal($"{path}, row {number + 1}", row.Place.ToString());
                var json = JsonSerializer.SerializeToNode(expected[number++], WithoutNulls)!.AsObject();
                json.Remove("other");
                Assert.True(JsonNode.DeepEquals(json, JsonNode.Parse(row.Json.Span)),
                    $"row {number}: {Encoding.UTF8.GetString(row.Json.Span)} for {json.ToJsonString()}");
                Assert.Equal(["other"], row.Others);
            }

            Assert.Equal(expected.Count, number);
        }
    }

    [Theory]
    [InlineData("arrow-item.parquet")]
    [InlineData("arrow-bag.parquet")]
    public void Lists_OfOtherNames_AreRead(string name)
    {
        string[] rows = [.. RowFile.Read(Golden(name)).Select(row => Encoding.UTF8.GetString(row.Json.Span))];
        string[] expected = [.. Enumerable.Range(0, 2).SelectMany(group => (string[])
        [
            $$"""{"messages":[{"role":"user","content":"q{{group}}"},{"role":"assistant","content":"a é"}]}""",
            "{}",
            """{"messages":[]}""",
            $$"""{"messages":[{"role":"system","content":"s{{group}}"},{"role":"user","content":"r"},{"role":"assistant","content":"b"}]}""",
        ])];
        Assert.Equal(expected, rows);
        UserError.Expect(() => ChatRows.Read(Golden(name)).Count(), $"{name}, row 2: no known form",
            "its fields are: id");
    }

    [Fact]
    public void TablesOfOthers_AreConversations_OrRefused()
    {
        var report = new RowReport();
        var rows = ChatRows.Read(Golden("duckdb.parquet"), report).ToList();
        Assert.Equal(["Ho 😀", "x", "z"], rows.Select(row => row.Messages[^1].Content));
        Assert.Equal([true, true, false, true, true], rows[1].Messages.Select(message => message.IsLearned));
        Assert.Equal("id (3 rows), n (3 rows), flag (3 rows), tags (3 rows), deep (3 rows)", report.Describe());
        UserError.Expect(() => ChatRows.Read(Golden("arrow-two-levels.parquet")).Count(), "messages.array",
            "two levels", "Write the file anew");
    }

    /// <summary>Any damage ends in rows or in one line, as for a column of texts.</summary>
    [Theory]
    [InlineData("duckdb.parquet")]
    [InlineData("arrow-item.parquet")]
    public async Task Bytes_ReplacedAtRandom_AreReadOrRefused(string name)
    {
        byte[] file = File.ReadAllBytes(Golden(name));
        int refused = 0, current = 0;
        var reading = Task.Run(() =>
        {
            for (int seed = 0; seed < 1500; seed++)
            {
                Volatile.Write(ref current, seed);
                var random = new Random(seed);
                byte[] damaged = [.. file];
                for (int i = random.Next(1, 4); i > 0; i--)
                    damaged[random.Next(4, damaged.Length)] = (byte)random.Next(256);
                try
                {
                    foreach (var row in RowFile.Read(folder.Write("a.parquet", damaged)))
                        JsonDocument.Parse(row.Json).Dispose();
                }
                catch (TinyLlmException e)
                {
                    UserError.CheckLine(e);
                    Assert.Contains("a.parquet", e.Message, StringComparison.Ordinal);
                    refused++;
                }
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            await reading.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{Volatile.Read(ref current)}: was read for ever.");
        }

        Assert.InRange(refused, 200, 1499);
    }

    private static Row Random(Random random) => new()
    {
        Messages = Maybe(random, () => List(random, 4, () => new Message
        {
            Role = Text(random),
            Content = Maybe(random, () => Text(random)),
            Weight = random.Next(3) == 0 ? random.Next(2) : null,
            Tool_calls = Maybe(random, () =>
                List(random, 3, () => new Call { Id = Maybe(random, () => Text(random)) })),
        })),
        Prompt = Maybe(random, () => Text(random)),
        Weight = random.Next(2) == 0 ? random.Next(9) / 4.0 : null,
        Label = random.Next(2) == 0 ? random.Next(2) == 0 : null,
        Answer = random.Next(100),
        Choices = Maybe(random, () => List<string?>(random, 3, () => Maybe(random, () => Text(random)))),
        Tools = Maybe(random, () => new Call { Id = Maybe(random, () => Text(random)) }),
        Other = 5,
    };

    private static T? Maybe<T>(Random random, Func<T> make) where T : class => random.Next(4) == 0 ? null : make();

    private static List<T> List<T>(Random random, int most, Func<T> make) =>
        [.. Enumerable.Range(0, random.Next(most + 1)).Select(_ => make())];

    private static string Text(Random random) => new((char)random.Next('a', 'z'), random.Next(4));

    public class Row
    {
        [JsonPropertyName("messages")]
        public List<Message>? Messages { get; set; }

        [JsonPropertyName("prompt")]
        public string? Prompt { get; set; }

        [JsonPropertyName("weight")]
        public double? Weight { get; set; }

        [JsonPropertyName("label")]
        public bool? Label { get; set; }

        [JsonPropertyName("answer")]
        public int Answer { get; set; }

        [JsonPropertyName("choices")]
        public List<string?>? Choices { get; set; }

        [JsonPropertyName("tools")]
        public Call? Tools { get; set; }

        [JsonPropertyName("other")]
        public int Other { get; set; }
    }

    public class Message
    {
        [JsonPropertyName("role")]
        public string? Role { get; set; }

        [JsonPropertyName("content")]
        public string? Content { get; set; }

        [JsonPropertyName("weight")]
        public long? Weight { get; set; }

        [JsonPropertyName("tool_calls")]
        public List<Call>? Tool_calls { get; set; }
    }

    public class Call
    {
        [JsonPropertyName("id")]
        public string? Id { get; set; }
    }
}
