using System.Net;
using System.Net.Http.Headers;

namespace TinyLlm.Data.Downloads;

/// <summary>
/// Fetches the bytes of one file over HTTP into a <see cref="PartialFile"/>: goes on where an earlier attempt ended if
/// the server still has the same version (Range with If-Range, RFC 9110, 13.1.5 and 14.2), begins anew if not, and
/// tries again with growing pauses after a cut, a stall or a busy server.
/// </summary>
internal sealed class FileDownload(
    HttpClient client, Uri url, DataFile file, string page, DownloadSettings settings,
    IProgress<DownloadProgress>? progress)
{
    private const int BufferBytes = 1 << 17;

    private readonly byte[] buffer = new byte[BufferBytes];

    private long? ExpectedBytes => settings.AcceptNew ? null : file.Bytes;

    /// <summary>Returns when the partial file is whole by what is known of its length.</summary>
    /// <exception cref="TinyLlmException">The file cannot be had; what came of it stays in the partial
    /// file.</exception>
    /// <exception cref="OperationCanceledException">The user stopped it; what came stays.</exception>
    public async Task RunAsync(PartialFile part, CancellationToken stop)
    {
        long furthest = part.Length;
        for (int failures = 0; ;)
        {
            if (await AttemptAsync(part, stop) is not { } cut)
                return;

            failures = part.Length > furthest ? 1 : failures + 1;
            furthest = Math.Max(furthest, part.Length);
            if (failures >= (cut.Unreachable && part.Length == 0 ? settings.ConnectAttempts : settings.Attempts))
                throw DownloadErrors.GaveUp(url, cut, failures, part.Length);
            var pause = cut.RetryAfter ?? settings.Pause(failures);
            Report(part.Length, null, $"{cut.Reason}; next attempt in {pause.TotalSeconds:0.#} s");
            await Task.Delay(pause, stop);
        }
    }

    // One request. Null: the file is whole.
    private async Task<Cut?> AttemptAsync(PartialFile part, CancellationToken stop)
    {
        if (part.Length > 0 && part.Length == ExpectedBytes)
            return null;

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(settings.Stall);
        try
        {
            using var request = Request(part);
            using var response =
                await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            return response.StatusCode switch
            {
                HttpStatusCode.OK => await ReceiveAsync(part, response, 0, patience, stop),
                HttpStatusCode.PartialContent => await GoOnAsync(part, response, patience, stop),
                HttpStatusCode.RequestedRangeNotSatisfiable => AtTheEnd(part, response),
                _ => DownloadErrors.Refused(url, response, page, settings.LongestRetryAfter),
            };
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return new Cut($"nothing came for {settings.Stall.TotalSeconds:0.#} s");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return DownloadErrors.Broken(url, exception);
        }
    }

    private HttpRequestMessage Request(PartialFile part)
    {
        // Without a version that the server can compare, only a sum that is checked can tell whether both pieces are of
        // one file.
        bool isChecked = part.Version?.IfRange is not null || (file.Sha256 is not null && !settings.AcceptNew);
        if (!isChecked || part.Length > ExpectedBytes)
            part.Clear();

        var request = new HttpRequestMessage(HttpMethod.Get, url);
        // Ranges and lengths are then those of the file.
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (part.Length > 0)
        {
            request.Headers.Range = new RangeHeaderValue(part.Length, null);
            request.Headers.IfRange = part.Version?.IfRange;
        }

        return request;
    }

    // 206: the rest of the version that is there, or a server that did not look at the condition.
    private async Task<Cut?> GoOnAsync(
        PartialFile part, HttpResponseMessage response, CancellationTokenSource patience, CancellationToken stop)
    {
        bool same = part.Version?.MayBe(FileVersion.Of(url, response)) ?? false;
        if (same && response.Content.Headers.ContentRange?.From == part.Length)
            return await ReceiveAsync(part, response, part.Length, patience, stop);
        part.Clear();
        return new Cut("the file has changed at its source, and is fetched from its beginning");
    }

    // 416: there is nothing behind the bytes that are there.
    private static Cut? AtTheEnd(PartialFile part, HttpResponseMessage response)
    {
        if (part.Length > 0 && response.Content.Headers.ContentRange?.Length == part.Length)
            return null;
        part.Clear();
        return new Cut("the file has become shorter at its source, and is fetched from its beginning");
    }

    private async Task<Cut?> ReceiveAsync(
        PartialFile part, HttpResponseMessage response, long start, CancellationTokenSource patience,
        CancellationToken stop)
    {
        long? total = response.Content.Headers.ContentRange?.Length ?? start + response.Content.Headers.ContentLength
            ?? ExpectedBytes;
        if (response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml")
            throw DownloadErrors.WebPage(url);
        CheckTotal(total);
        DiskSpace.Check(part.Path, (total ?? start) - start, settings);

        await using var body = await response.Content.ReadAsStreamAsync(patience.Token);
        int read = await FillAsync(body, patience);
        if (start == 0 && IsWebPage(buffer.AsSpan(0, read)))
            throw DownloadErrors.WebPage(url);

        // What came earlier is only given up once there is something better.
        if (start == 0)
            part.Begin(FileVersion.Of(url, response));
        else
            part.GoOn();
        for (; read > 0; read = await ReadAsync(body, buffer, patience))
        {
            stop.ThrowIfCancellationRequested();
            part.Append(buffer.AsSpan(0, read));
            Report(part.Length, total);
        }

        if (part.Length < total)
            return new Cut($"the server sent {part.Length:N0} of {total:N0} bytes");
        CheckTotal(part.Length);
        return null;
    }

    // The first bytes, enough to know a web page by.
    private async Task<int> FillAsync(Stream body, CancellationTokenSource patience)
    {
        int filled = 0;
        while (filled < 512)
        {
            int read = await ReadAsync(body, buffer.AsMemory(filled), patience);
            if (read == 0)
                break;
            filled += read;
        }

        return filled;
    }

    private async Task<int> ReadAsync(Stream body, Memory<byte> destination, CancellationTokenSource patience)
    {
        patience.CancelAfter(settings.Stall);
        return await body.ReadAsync(destination, patience.Token);
    }

    private void CheckTotal(long? total)
    {
        if (total is { } bytes && ExpectedBytes is { } expected && bytes != expected)
        {
            throw new TinyLlmException(
                $"{url}: has {bytes:N0} bytes; expected {expected:N0}. It is not the file that this version of "
                + $"tinyllm knows: see {page}; "
                + "--accept-new takes it as it is.");
        }
    }

    private static bool IsWebPage(ReadOnlySpan<byte> start)
    {
        string text = System.Text.Encoding.Latin1.GetString(start).TrimStart();
        return text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase);
    }

    private void Report(long bytes, long? total, string? note = null) =>
        progress?.Report(new DownloadProgress(file.Name, bytes, total, note));
}
