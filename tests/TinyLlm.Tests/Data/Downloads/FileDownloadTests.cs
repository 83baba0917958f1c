using TinyLlm.Data.Downloads;
using TinyLlm.Tests.Support;
using Xunit;
using static TinyLlm.Tests.Data.Downloads.DownloadBench;

namespace TinyLlm.Tests.Data.Downloads;

/// <summary>One file against servers that cut, stall, lie, refuse and change their minds.</summary>
public sealed class FileDownloadTests
{
    private const int Half = 150_000;

    [Fact]
    public void AGoodServer_IsAskedOnce_AndProgressEndsAtTheWhole()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, Content));
        bench.Succeed();
        var request = Assert.Single(bench.Requests);
        Assert.Equal("/data/a.txt", request.Path);
        Assert.StartsWith("TinyLlm/", request.Headers["User-Agent"], StringComparison.Ordinal);
        Assert.Equal("identity", request.Headers["Accept-Encoding"]);
        Assert.Equal(new DownloadProgress(Name, Content.Length, Content.Length), bench.Progress[^1]);
        Assert.Equal(bench.Progress.Select(p => p.Bytes).Order(), bench.Progress.Select(p => p.Bytes));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cuts_AreFollowedByRequestsForTheRest(bool resets)
    {
        // Each answer brings the next 70,000 bytes and ends early.
        using var bench = new DownloadBench(request =>
        {
            var whole = LoopbackAnswer.File(request, Content);
            return whole with { Sends = Math.Min(70_000, whole.Body.Length), Resets = resets && request.Number == 0 };
        });
        bench.Settings = bench.Settings with { Attempts = 2 }; // attempts that bring something do not count
        bench.Succeed();
        Assert.InRange(bench.Requests.Length, 5, 7);
        Assert.All(bench.Requests.Skip(1), request => Assert.Equal("\"one\"", request.IfRange));
        Assert.Equal(bench.Requests.Select(r => r.Start).Order(), bench.Requests.Select(r => r.Start));
        Assert.Equal(
            bench.Requests.Length - 1,
            bench.Notes.Count(
                note => note.StartsWith("the connection was cut; next attempt in", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Half)]
    public void AStall_CountsAsACut(int sends)
    {
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(
                request, Content) with
            {
                Sends = request.Number == 0 ? sends
            : Content.Length - request.Start,
                Stalls = request.Number == 0
            });
        bench.Settings = bench.Settings with { Stall = TimeSpan.FromMilliseconds(400) };
        bench.Succeed();
        Assert.Equal([0, sends], bench.Requests.Select(r => r.Start));
        Assert.StartsWith("nothing came for 0.4 s", Assert.Single(bench.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void ASlowServer_IsNotOneThatStalls()
    {
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, Content) with { Takes = TimeSpan.FromSeconds(3) });
        bench.Settings = bench.Settings with { Stall = TimeSpan.FromSeconds(2) };
        bench.Succeed();
        Assert.Single(bench.Requests);
    }

    [Fact]
    public void AServerThatIgnoresTheRange_IsReadFromItsBeginning()
    {
        using var bench = new DownloadBench(
            request => new LoopbackAnswer(
                200, Content)
            { Headers = ["ETag: \"one\""], Sends = request.Number == 0 ? Half : Content.Length });
        bench.Succeed();
        Assert.Equal([0, Half], bench.Requests.Select(r => r.Start));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFileThatChanged_IsReadFromItsBeginning(bool looksAtTheCondition)
    {
        // The first answer is of another version. A server that ignores If-Range goes on with bytes that do not fit,
        // and is found out by its tag.
        using var bench = new DownloadBench(
            request => request.Number == 0 ? LoopbackAnswer.File(request, OtherContent, "\"old\"") with { Sends = Half }
            : looksAtTheCondition ? LoopbackAnswer.File(request, Content, "\"new\"")
            : LoopbackAnswer.File(
                request with { Headers = request.Headers.Where(h => h.Key != "If-Range").ToDictionary() }, Content,
                "\"new\""), sumIsKnown: false);
        bench.Succeed();
        Assert.Equal("\"old\"", bench.Requests[1].IfRange);
        Assert.Equal(looksAtTheCondition ? 2 : 3, bench.Requests.Length);
    }

    [Fact]
    public void ARestThatBeginsElsewhere_IsNotTaken()
    {
        using var bench = new DownloadBench(request => request.Number == 1
            ? new LoopbackAnswer(
                206, Content[100..])
            {
                Headers =
                ["ETag: \"one\"", $"Content-Range: bytes 100-{Content.Length - 1}/{Content.Length}"]
            }
                : LoopbackAnswer.File(
                    request, Content) with
                { Sends = request.Number == 0 ? Half : Content.Length - request.Start });
        bench.Succeed();
        Assert.Equal([0, Half, 0], bench.Requests.Select(r => r.Start));
    }

    [Fact]
    public void ADate_TellsVersionsApart_WhereTheTagIsWeak()
    {
        const string Date = "Tue, 15 Nov 1994 12:45:26 GMT";
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, Content, tag: null, Date) is var whole && request.Number == 0
            ? whole with { Sends = Half, Headers = [.. whole.Headers, "ETag: W/\"weak\""] }
            : whole);
        bench.Succeed();
        Assert.Equal([null, Date], bench.Requests.Select(r => r.IfRange));
        Assert.Equal(Half, bench.Requests[1].Start);
    }

    [Theory]
    [InlineData(true, false, Half)]
    [InlineData(true, true, 0)]
    [InlineData(false, false, 0)]
    public void WithoutAVersion_OnlyASumThatIsCheckedAllowsToGoOn(bool sumIsKnown, bool acceptNew, int start)
    {
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, Content, tag: null) is var whole && request.Number == 0
            ? whole with { Sends = Half } : whole, sumIsKnown);
        bench.Settings = bench.Settings with { AcceptNew = acceptNew };
        bench.Succeed();
        Assert.Equal([0, start], bench.Requests.Select(r => r.Start));
        Assert.Null(bench.Requests[1].IfRange);
    }

    [Theory]
    [InlineData(503, "Retry-After: 0", "0 s")]
    [InlineData(429, "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT", "0 s")]
    [InlineData(500, "Other: 1", "0 s")]
    [InlineData(408, "Other: 1", "0 s")]
    public void ABusyServer_IsAskedAgain(int status, string header, string pause)
    {
        using var bench = new DownloadBench(
            request => request.Number < 2 ? new LoopbackAnswer(status, "busy"u8.ToArray()) { Headers = [header] }
            : LoopbackAnswer.File(request, Content));
        bench.Succeed();
        Assert.Equal(3, bench.Requests.Length);
        Assert.All(bench.Notes,
            note => Assert.Equal($"the server answered HTTP {status}; next attempt in {pause}", note));
    }

    [Fact]
    public void RetryAfter_IsWaitedFor()
    {
        using var bench = new DownloadBench(
            request => request.Number == 0 ? new LoopbackAnswer(503, []) { Headers = ["Retry-After: 1"] }
            : LoopbackAnswer.File(request, Content));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        bench.Succeed();
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(0.9), "The server asked for a second and was asked again "
            + $"after {clock.Elapsed}.");
        Assert.Equal("the server answered HTTP 503; next attempt in 1 s", Assert.Single(bench.Notes));
    }

    [Fact]
    public void ALongRetryAfter_IsLeftToTheUser()
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(429, []) { Headers = ["Retry-After: 7200"] });
        bench.Refuse("/data/a.txt: the server is busy (HTTP 429) and asks to wait 120 minutes");
        Assert.Single(bench.Requests);
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void AServerThatStaysBusy_IsGivenUp_AndNothingIsLeft()
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(502, []));
        bench.Settings = bench.Settings with { Attempts = 4 };
        bench.Refuse("the server answered HTTP 502; given up after 4 attempts", "--url-base");
        Assert.Equal(4, bench.Requests.Length);
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void AServerThatBringsNothingNew_IsGivenUp_AndWhatCameIsKept()
    {
        using var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, Content) with { Sends = request.Start == 0 ? Half : 0 });
        bench.Settings = bench.Settings with { Attempts = 3 };
        bench.Refuse("the connection was cut; given up after 3 attempts", "(150,000 bytes) is kept");
        Assert.Equal([Name + ".part", Name + ".part-version"], bench.Names);
    }

    [Fact]
    public void Redirects_AreFollowed_WithTheRange()
    {
        using var bench = new DownloadBench(request => request.Path == "/data/a.txt"
            ? new LoopbackAnswer(302, []) { Headers = ["Location: /elsewhere"] }
            : LoopbackAnswer.File(
                request, Content) with
            { Sends = request.Start == 0 ? Half : Content.Length - request.Start });
        bench.Succeed();
        Assert.Equal(["/data/a.txt", "/elsewhere", "/data/a.txt", "/elsewhere"], bench.Requests.Select(r => r.Path));
        Assert.Equal([0, 0, Half, Half], bench.Requests.Select(r => r.Start));
    }

    [Fact]
    public void ACircleOfRedirects_IsOneLine()
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(302, []) { Headers = ["Location: /data/a.txt"] });
        bench.Refuse("/data/a.txt: redirected too often", "(HTTP 302)", "https://example.org/page");
        Assert.Empty(bench.Names);
    }

    [Theory]
    [InlineData(404, "there is no such file (HTTP 404)")]
    [InlineData(410, "there is no such file (HTTP 410)")]
    [InlineData(401, "the server refuses access (HTTP 401)")]
    [InlineData(403, "the server refuses access (HTTP 403)")]
    [InlineData(418, "the server answered HTTP 418; expected the file")]
    public void ARefusal_IsOneLine_AtOnce(int status, string part)
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(status, "no"u8.ToArray()));
        bench.Refuse("/data/a.txt: " + part, "https://example.org/page", "--url-base");
        Assert.Single(bench.Requests);
        Assert.Empty(bench.Names);
    }

    [Theory]
    [InlineData("Content-Type: text/html; charset=utf-8", "Please sign in")]
    [InlineData("Content-Type: text/plain", "\n <!DOCTYPE HTML><html><body>Please sign in</body></html>")]
    [InlineData("Other: 1", "<html lang=en>Please sign in</html>")]
    public void AWebPage_IsNotData_AndCostsNothingThatCameBefore(string header, string page)
    {
        using var bench = new DownloadBench(
            _ => new LoopbackAnswer(200, System.Text.Encoding.ASCII.GetBytes(page)) { Headers = [header] },
            sumIsKnown: false);
        bench.Refuse("/data/a.txt: a web page came instead of the file", "sign in");
        Assert.Empty(bench.Names);

        bench.Begin(Content[..Half]);
        bench.Refuse("a web page came instead of the file");
        Assert.Equal(Content[..Half], System.IO.File.ReadAllBytes(bench[Name + ".part"]));
    }

    [Fact]
    public void AClosedPort_IsOneLine_AfterAFewAttempts()
    {
        Uri gone;
        using (var server = new LoopbackServer(_ => new LoopbackAnswer(200, [])))
            gone = server.Address;
        using var bench = new DownloadBench(_ => new LoopbackAnswer(200, []));
        bench.Settings = bench.Settings with { UrlBase = gone };
        bench.Refuse($"{gone}data/a.txt: 127.0.0.1 was not reached (", "check the network connection; given up after "
            + "3 attempts");
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void AServerWithoutEncryption_WhereThereShouldBeSome_IsOneLine()
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(200, Content));
        bench.Settings =
            bench.Settings with { UrlBase = new UriBuilder(bench.Settings.UrlBase!) { Scheme = "https" }.Uri };
        bench.Refuse("/data/a.txt: no secure connection (", "clock and certificates");
        Assert.Empty(bench.Requests);
    }

    [Theory]
    [InlineData(299_999)]
    [InlineData(300_001)]
    public void AnotherLengthThanTheTables_IsOneLine_BeforeAnythingIsWritten(int length)
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(200, Content) { Length = length });
        bench.Refuse($"/data/a.txt: has {length:N0} bytes; expected 300,000", "--accept-new");
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void ALengthThatIsTooShort_IsFoundOut_ByTheSum()
    {
        using var bench = new DownloadBench(_ => new LoopbackAnswer(200, Content) { Length = Half, Sends = Half });
        bench.File = bench.File with { Bytes = null };
        bench.Refuse($"has SHA-256 {Sum(Content[..Half])}; expected {Sum(Content)}");
        Assert.Empty(bench.Names);
    }

    [Fact]
    public void WithoutALength_TheEndOfTheConnection_IsTheEndOfTheFile_UnlessTheTableKnowsBetter()
    {
        using (var bench = new DownloadBench(
            request => LoopbackAnswer.File(request, Content) with { Length = -1 }, sumIsKnown: false))
            bench.Succeed();

        using var known = new DownloadBench(
            request => LoopbackAnswer.File(
                request, Content) with
            {
                Length = -1,
                Sends = request.Number == 0 ? Half
            : Content.Length - request.Start
            });
        known.Succeed();
        Assert.Equal([0, Half], known.Requests.Select(r => r.Start));
        Assert.StartsWith(
            "the server sent 150,000 of 300,000 bytes", Assert.Single(known.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptyFile_IsAFile()
    {
        using var bench = new DownloadBench(request => LoopbackAnswer.File(request, []), sumIsKnown: false);
        bench.Succeed([]);
    }

    [Fact]
    public void Pauses_DoubleUpToTheLongest()
    {
        var settings = new DownloadSettings();
        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60], Enumerable.Range(1, 8).Select(n => settings.Pause(n).TotalSeconds));
        Assert.Equal(60, settings.Pause(1000).TotalSeconds);
    }
}
