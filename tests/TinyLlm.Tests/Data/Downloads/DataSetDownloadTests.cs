using System.IO.Compression;
using System.Text;
using TinyLlm.Data;
using TinyLlm.Data.Downloads;
using TinyLlm.Tests.Support;
using Xunit;
using static TinyLlm.Tests.Data.Downloads.DownloadBench;

namespace TinyLlm.Tests.Data.Downloads;

/// <summary>
/// What is in a set's folder before and after: partial files, sums, files of the user's, archives, a full disk.
/// </summary>
public sealed class DataSetDownloadTests
{
    private const int Half = 150_000;

    [Fact]
    public void AWholeSet_IsChecked_AndNotAskedForAgain()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        Assert.Equal(DataSetState.Absent, bench.Folder.State);
        bench.Succeed();
        Assert.Equal(DataSetState.Present, bench.Folder.State);
        Assert.False(bench.Get());
        Assert.Single(bench.Requests);
    }

    [Fact]
    public void AnInterruptedDownload_GoesOnWhereItStopped()
    {
        using var stop = new CancellationTokenSource();
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(
                request, Content) with
            {
                Sends = request.Number == 0 ? Half
            : Content.Length - request.Start,
                Stalls = request.Number == 0
            });
        bench.OnProgress = value =>
        {
            if (value.Bytes >= Half)
                stop.Cancel();
        };
        Assert.ThrowsAny<OperationCanceledException>(() => bench.GetUntil(stop.Token));
        Assert.Equal([Name + ".part", Name + ".part-version"], bench.Names);
        Assert.Equal(Half, new FileInfo(bench[Name + ".part"]).Length);
        Assert.Equal(DataSetState.Partial, bench.Folder.State);

        bench.Succeed();
        Assert.Equal(Half, bench.Requests[^1].Start);
        Assert.Equal("\"one\"", bench.Requests[^1].IfRange);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public void AWholePart_IsOnlyRenamed(bool lengthIsKnown, int requests)
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content), lengthIsKnown);
        bench.Begin(Content);
        bench.Succeed();
        Assert.Equal(requests, bench.Requests.Length);
        Assert.All(bench.Requests, request => Assert.Equal(Content.Length, request.Start));
    }

    [Fact]
    public void APartThatIsTooLong_IsThrownAway()
    {
        using var known = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        known.Begin([.. Content, 1, 2, 3]);
        known.Succeed();
        Assert.Equal([0], known.Requests.Select(r => r.Start));

        using var unknown = new DownloadBench(request => LoopbackAnswer.File(request, Content), sumIsKnown: false);
        unknown.Begin([.. Content, 1, 2, 3]);
        unknown.Succeed();
        Assert.Equal([Content.Length + 3, 0], unknown.Requests.Select(r => r.Start));
    }

    [Fact]
    public void APartOfAnotherAddress_OrOfUnknownVersion_IsThrownAway()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content), sumIsKnown: false);
        bench.Begin(OtherContent[..Half], address: "https://example.org/other");
        bench.Succeed();
        File.Delete(bench[Name]);
        bench.Begin(OtherContent[..Half]);
        File.WriteAllText(bench[Name + ".part-version"], "{\"Url\": ");
        bench.Succeed();
        Assert.Equal([0, 0], bench.Requests.Select(r => r.Start));
    }

    [Fact]
    public void PiecesThatDoNotFit_AreFetchedAnewOnce()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        bench.Begin(OtherContent[..Half]);
        bench.Succeed();
        Assert.Equal([Half, 0], bench.Requests.Select(r => r.Start));
        Assert.Contains("the pieces do not fit together; fetching it from its beginning", bench.Notes);
    }

    [Fact]
    public void AWrongSum_IsOneLine_AndLeavesNothing_UnlessAccepted()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, OtherContent));
        bench.Refuse($"/data/a.txt: has SHA-256 {Sum(OtherContent)}; expected {Sum(Content)}", "--accept-new");
        Assert.Empty(bench.Names);

        bench.Settings = bench.Settings with { AcceptNew = true };
        bench.Succeed(OtherContent);
        bench.Settings = bench.Settings with { AcceptNew = false };
        Assert.False(bench.Get());
        Assert.Equal(2, bench.Requests.Length);
    }

    [Fact]
    public void TheFirstSum_IsExpectedFromThenOn_WhereNoneIsKnown()
    {
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, request.Number == 0 ? Content : OtherContent), sumIsKnown: false);
        bench.Succeed();
        Assert.Contains(Sum(Content), File.ReadAllText(bench[".sums.json"]), StringComparison.Ordinal);

        File.Delete(bench[Name]);
        bench.Refuse($"has SHA-256 {Sum(OtherContent)}; expected {Sum(Content)}", "--accept-new");
        Assert.Empty(bench.Names);
        bench.Settings = bench.Settings with { AcceptNew = true };
        bench.Succeed(OtherContent);
        bench.Settings = bench.Settings with { AcceptNew = false };
        Assert.False(bench.Get());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFileThatIsThereButDiffers_IsTheUsersToDecideOn(bool sumIsKnown)
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content), sumIsKnown);
        bench.Succeed();
        File.WriteAllText(bench[Name], "mine");
        bench.Refuse(
            $"{Name}: is there, but has SHA-256 {Sum("mine"u8.ToArray())}; expected {Sum(Content)}", "Remove it",
            "--accept-new");
        Assert.Equal("mine", File.ReadAllText(bench[Name]));

        bench.Settings = bench.Settings with { AcceptNew = true };
        Assert.False(bench.Get());
        bench.Settings = bench.Settings with { AcceptNew = false };
        Assert.False(bench.Get());
        Assert.Equal("mine", File.ReadAllText(bench[Name]));
        Assert.Single(bench.Requests);
    }

    [Fact]
    public void DamagedSums_AreOneLine()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        bench.Succeed();
        foreach (string text in new[] { "", "[1]", "null", "{\"a.txt\": 3}" })
        {
            File.WriteAllText(bench[".sums.json"], text);
            bench.Refuse(".sums.json: no valid list of sums", "Remove it");
        }
    }

    [Fact]
    public void ADiskWithoutRoom_IsNamedBeforeItStarts()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        bench.Settings = bench.Settings with { FreeBytes = _ => 299_999 };
        bench.Refuse("needs 300,000 bytes more, and its disk has 299,999 free", "--out");
        Assert.Empty(bench.Requests);

        // What is there counts.
        bench.Begin(Content[..Half]);
        bench.Settings = bench.Settings with { FreeBytes = _ => Half };
        bench.Succeed();
    }

    [Fact]
    public void ADiskWithoutRoom_IsNamedBeforeAnythingIsWritten_WhereOnlyTheServerKnowsTheSize()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content), sumIsKnown: false);
        bench.Settings = bench.Settings with { FreeBytes = _ => 299_999 };
        bench.Refuse("needs 300,000 bytes more, and its disk has 299,999 free");
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void AFolderThatCannotBeMade_IsOneLine()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        File.WriteAllText(Path.GetDirectoryName(bench[Name])!, "a file where the folder should be");
        bench.Refuse("could not be written");
    }

    [Fact]
    public void ASecondDownloadAtTheSameTime_IsRefused_AndHarmsNothing()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        bench.Begin(Content[..Half]);
        using (new FileStream(bench[Name + ".part"], FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            bench.Refuse($"{Name}: could not be written");
        Assert.Equal(Half, new FileInfo(bench[Name + ".part"]).Length);
        bench.Succeed();
    }

    [Fact]
    public void AnArchive_GivesItsMembers_AndGoes()
    {
        using var bench = Archive(("folder/one", "first"), ("other", "not wanted"), ("folder/two", "second"));
        Assert.True(bench.Get());
        Assert.Equal(["one.txt", "two.txt"], bench.Names);
        Assert.Equal("first", File.ReadAllText(bench["one.txt"]));
        Assert.Equal("second", File.ReadAllText(bench["two.txt"]));
        Assert.Equal(DataSetState.Present, bench.Folder.State);
        Assert.False(bench.Get());

        File.Delete(bench["two.txt"]);
        Assert.Equal(DataSetState.Partial, bench.Folder.State);
        Assert.True(bench.Get());
        Assert.Equal(["one.txt", "two.txt"], bench.Names);
    }

    [Fact]
    public void AnArchiveWithoutAMember_OrWithAnother_IsOneLine()
    {
        using var lacking = Archive(("folder/one", "first"));
        lacking.Refuse("https://example.org/data/a.txt: the archive has no folder/two");
        Assert.DoesNotContain("two.txt", lacking.Names);

        using var other = Archive(("folder/one", "first"), ("folder/two", "SECOND"));
        other.Refuse(
            $"folder/two in it has SHA-256 {Sum("SECOND"u8.ToArray())}; expected {Sum("second"u8.ToArray())}",
            "--accept-new");
        Assert.DoesNotContain(other.Names, name => name.StartsWith("two", StringComparison.Ordinal));
        other.Settings = other.Settings with { AcceptNew = true };
        Assert.True(other.Get());
        Assert.Equal("SECOND", File.ReadAllText(other["two.txt"]));
    }

    [Fact]
    public void AnArchiveThatIsNone_IsOneLine()
    {
        using var bench = Archive();
        bench.Members = [new ZipMember("a", new DataFile("a.out"))];
        bench.Refuse("the archive has no a");
        using var noise = new DownloadBench(
            request => LoopbackAnswer.File(request, Content),
            sumIsKnown: false)
        { Members = [new ZipMember("a", new DataFile("a.out"))] };
        noise.Refuse("no valid ZIP archive");
        Assert.DoesNotContain("a.out", noise.Names);
    }

    private static DownloadBench Archive(params (string Entry, string Text)[] entries)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (entry, text) in entries)
            {
                using var target = archive.CreateEntry(entry).Open();
                target.Write(Encoding.ASCII.GetBytes(text));
            }
        }

        byte[] zip = stream.ToArray();
        return new DownloadBench(request => LoopbackAnswer.File(request, zip), sumIsKnown: false)
        {
            Members =
            [
                new ZipMember("folder/one", new DataFile("one.txt", 5, Sum("first"u8.ToArray()))),
                new ZipMember("folder/two", new DataFile("two.txt", 6, Sum("second"u8.ToArray()), Split.Validation)),
            ],
        };
    }
}
