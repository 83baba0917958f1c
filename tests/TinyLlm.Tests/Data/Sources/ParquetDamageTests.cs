using System.Buffers.Binary;
using Parquet;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>
/// Damaged Parquet files: text or one line, in little time and memory. What believes their numbers reads without end.
/// </summary>
public class ParquetDamageTests
{
    private const int Seeds = 300;

    // Far more than such a file takes, and than tests beside this one take while one is read.
    private const long MostBytes = 256 << 20;

    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(30);
    private static readonly string?[][] Groups =
        [.. Enumerable.Range(0, 4).Select(i => new string?[] { $"text {i}", null, new string('x', i) })];

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Zstd)]
    public async Task Bytes_ReplacedAtRandom_AreReadOrRefused(CompressionMethod method)
    {
        byte[] file = SourceReading.Parquet(method, "text", Groups);
        int refused = await Watch(Enumerable.Range(0, Seeds).Select(seed => (seed, Replace(file, seed))));
        Assert.InRange(refused, Seeds / 4, Seeds - 1);
    }

    /// <summary>Seeds whose damage was read without end.</summary>
    [Theory]
    [InlineData(CompressionMethod.None, 1432, 1811, 4937, 5671, 7021)]
    [InlineData(CompressionMethod.Snappy, 1432, 1811, 3620, 4937)]
    [InlineData(CompressionMethod.Gzip, 338, 3787, 3975, 4213, 4823, 5975, 6642)]
    [InlineData(CompressionMethod.Zstd, 1765, 2526, 2953, 4823, 6482, 6608)]
    public async Task Bytes_ThatWereReadWithoutEnd_AreRefused(CompressionMethod method, params int[] seeds)
    {
        byte[] file = SourceReading.Parquet(method, "text", Groups);
        Assert.Equal(seeds.Length, await Watch(seeds.Select(seed => (seed, Replace(file, seed)))));
    }

    /// <summary>
    /// Each byte of the metadata and of the headers of pages, with what makes numbers go on, ends structs early and
    /// turns fields into others.
    /// </summary>
    [Fact]
    public async Task Bytes_EachReplaced_AreReadOrRefused()
    {
        byte[] file = SourceReading.Parquet("text", Groups[0]);
        byte[] values = [0, 0x16, 0x19, 0x7F, 0xF9, 0xFF];
        var damaged = Enumerable.Range(4, file.Length - 4)
            .SelectMany(place => values.Select(value => (place, Replace(file, place, value))));
        Assert.InRange(await Watch(damaged), 500, 6 * file.Length);
    }

    [Theory]
    [InlineData(0x16)] // a number that never ends
    [InlineData(0x19)] // a list without elements
    [InlineData(0x1C)] // a struct without fields
    public async Task Metadata_WithoutEnd_IsRefused(byte last)
    {
        byte[] file = SourceReading.Parquet("text", Groups);
        Assert.Equal(1, await Watch([(last, Replace(file, file.Length - 9, last))]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public async Task Metadata_OfAnotherLength_IsRefused(int length)
    {
        byte[] file = SourceReading.Parquet("text", Groups);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(file.Length - 8), length);
        Assert.Equal(1, await Watch([(length, file)]));
    }

    /// <summary>A page with fewer values than rows does not end in what memory held before.</summary>
    [Fact]
    public void Values_FewerThanRows_AreRefused()
    {
        using var folder = new TemporaryFolder();
        byte[] file = SourceReading.Parquet(
            CompressionMethod.None, "text", [.. Enumerable.Range(0, 64).Select(i => i < 32 ? "same" : "other")]);
        int refused = 0;
        for (int place = 4; place < file.Length; place++)
        {
            string path = folder.Write("a.parquet", Replace(file, place, 2));
            try
            {
                SourceReading.Pieces(SourceReading.Source(path).Units(), new ReadReport());
            }
            catch (TinyLlmException e)
            {
                refused += e.Message.Contains(
                    "a column has fewer than the 64 values that its rows need", StringComparison.Ordinal) ? 1 : 0;
            }
        }

        Assert.InRange(refused, 1, file.Length);
    }

    private static byte[] Replace(byte[] file, int seed)
    {
        var random = new Random(seed);
        byte[] damaged = [.. file];
        int count = random.Next(1, 5);
        for (int i = 0; i < count; i++)
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
        return damaged;
    }

    private static byte[] Replace(byte[] file, int place, byte value)
    {
        byte[] damaged = [.. file];
        damaged[place] = value;
        return damaged;
    }

    // Reads every file, as one unit and as many; returns how many were refused. A thread that hangs is left behind.
    private static async Task<int> Watch(IEnumerable<(int Name, byte[] Bytes)> files)
    {
        int current = 0, refused = 0;
        var reading = Task.Run(() =>
        {
            using var folder = new TemporaryFolder();
            foreach (var (name, bytes) in files)
            {
                Volatile.Write(ref current, name);
                long before = GC.GetTotalAllocatedBytes();
                refused += IsRefused(folder.Write("a.parquet", bytes)) ? 1 : 0;
                long taken = GC.GetTotalAllocatedBytes() - before;
                Assert.True(
                    taken < MostBytes, $"{name}: {taken:N0} bytes were allocated; expected less than {MostBytes:N0}.");
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            await reading.WaitAsync(MostTime, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{Volatile.Read(ref current)}: was read for ever.");
        }

        return refused;
    }

    private static bool IsRefused(string path)
    {
        bool isRefused = false;
        foreach (long bytes in new[] { 1L << 20, 100 })
        {
            try
            {
                SourceReading.Pieces(SourceReading.Source(path).Units(bytes), new ReadReport());
            }
            catch (TinyLlmException e)
            {
                UserError.CheckLine(e);
                Assert.Contains(path, e.Message, StringComparison.Ordinal);
                isRefused = true;
            }
        }

        return isRefused;
    }
}
