using System.Collections.Concurrent;
using System.Security.Cryptography;
using TinyLlm.Data.Downloads;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Downloads;

/// <summary>A set of one file, a server on this machine that has it, and an empty folder for it.</summary>
internal sealed class DownloadBench : IDisposable, IProgress<DownloadProgress>
{
    public const string Name = "a.txt";

    private readonly TemporaryFolder folder = new();
    private readonly LoopbackServer server;
    private readonly ConcurrentQueue<DownloadProgress> progress = [];

    public DownloadBench(Func<LoopbackRequest, LoopbackAnswer> answer, bool sumIsKnown = true)
    {
        server = new LoopbackServer(answer);
        Settings = new DownloadSettings
        {
            UrlBase = server.Address,
            FirstPause = TimeSpan.FromMilliseconds(1),
            Stall = TimeSpan.FromSeconds(10)
        };
        File = sumIsKnown ? new DataFile(Name, Content.Length, Sum(Content)) : new DataFile(Name);
    }

    /// <summary>The right bytes: more than one buffer of the client.</summary>
    public static byte[] Content { get; } = Bytes(300_000, seed: 1);

    /// <summary>Bytes of the same length that are not the right ones.</summary>
    public static byte[] OtherContent { get; } = Bytes(300_000, seed: 2);

    public DataFile File { get; set; }

    public DownloadSettings Settings { get; set; }

    public IReadOnlyList<ZipMember> Members { get; set; } = [];

    public LoopbackRequest[] Requests => server.Requests;

    public DownloadProgress[] Progress => [.. progress];

    public string[] Notes => [.. progress.Select(p => p.Note).OfType<string>()];

    /// <summary>Called with every report, on the download's own thread.</summary>
    public Action<DownloadProgress> OnProgress { get; set; } = _ => { };

    /// <summary>Names in the set's folder, without the list of sums.</summary>
    public string[] Names =>
        Directory.Exists(folder["set"])
            ? [.. Directory.GetFiles(folder["set"]).Select(path => Path.GetFileName(path))
                .Where(name => name != ".sums.json").Order(StringComparer.Ordinal)] : [];

    public string this[string name] => Path.Combine(folder["set"], name);

    public DataSetFolder Folder =>
        new(new DataSet(
            "a", "letters", "none", "https://example.org/page", DataUse.Pretrain,
            [new RemoteFile("https://example.org/data/a.txt", File) { Members = Members }]), folder["set"]);

    public bool Get() => GetUntil(TestContext.Current.CancellationToken);

    public bool GetUntil(CancellationToken stop) =>
        new DataSetDownload(Folder, Settings, this).RunAsync(stop).GetAwaiter().GetResult();

    /// <summary>The set arrives whole.</summary>
    public void Succeed(byte[]? content = null)
    {
        Assert.True(Get());
        Assert.Equal([Name], Names);
        Assert.True(
            System.IO.File.ReadAllBytes(this[Name]).AsSpan().SequenceEqual(content ?? Content),
            "The file has other bytes than the server's.");
    }

    /// <summary>The download is refused by one line with these parts.</summary>
    public TinyLlmException Refuse(params string[] parts) => UserError.Expect(() => Get(), parts);

    /// <summary>Leaves what an interrupted run would: the first bytes, and their version.</summary>
    public void Begin(byte[] content, string? tag = "\"one\"", string? address = null)
    {
        Directory.CreateDirectory(folder["set"]);
        System.IO.File.WriteAllBytes(this[Name + ".part"], content);
        string etag = tag is null ? "null" : $"\"{tag.Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
        System.IO.File.WriteAllText(
            this[Name + ".part-version"],
            $"{{\"Url\": \"{address ?? new Uri(server.Address, "/data/a.txt").AbsoluteUri}\", \"ETag\": {etag}, "
            + $"\"LastModified\": null}}");
    }

    public void Report(DownloadProgress value)
    {
        progress.Enqueue(value);
        OnProgress(value);
    }

    public void Dispose()
    {
        server.Dispose();
        folder.Dispose();
    }

    public static string Sum(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] Bytes(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
