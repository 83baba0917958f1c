namespace TinyLlm.Data.Downloads;

/// <summary>Gets a data set into its folder: checks what is there, downloads the rest, checks that too.</summary>
/// <param name="folder">The set and its folder.</param>
/// <param name="settings">How it is downloaded.</param>
/// <param name="progress">Is told how it goes, from the thread that downloads; null: nobody.</param>
public sealed class DataSetDownload(
    DataSetFolder folder, DownloadSettings settings, IProgress<DownloadProgress>? progress)
{
    /// <summary>
    /// Makes the set whole: checks the files that are there by their sums, and downloads the others. Returns whether
    /// anything was downloaded.
    /// </summary>
    /// <exception cref="TinyLlmException">
    /// A file cannot be had, does not fit on the disk, or has other bytes than expected. What came of it stays, unless
    /// its sum is wrong. </exception>
    /// <exception cref="OperationCanceledException">The user stopped it; what came stays.</exception>
    public async Task<bool> RunAsync(CancellationToken stop)
    {
        var sums = SumsFile.Load(folder.Path);
        var missing = new List<RemoteFile>();
        foreach (var download in folder.Set.Downloads)
        {
            bool whole = true;
            foreach (var file in download.Results)
                whole &= await IsThereAsync(download, file, sums, stop);
            if (!whole)
                missing.Add(download);
        }

        if (missing.Count == 0)
            return false;
        DiskSpace.Check(folder.Path, missing.Sum(Needed), settings);
        using var client = CreateClient();
        foreach (var download in missing)
            await FetchAsync(client, download, sums, stop);
        return true;
    }

    // A file that is there is either right, or the user decides.
    private async Task<bool> IsThereAsync(RemoteFile download, DataFile file, SumsFile sums, CancellationToken stop)
    {
        string path = folder.PathOf(file);
        if (!File.Exists(path))
            return false;

        progress?.Report(new DownloadProgress(file.Name, 0, null, "is there; checking its sum"));
        var (bytes, sum) = await MeasureAsync(path, stop);
        if (Expected(download, file, sums) is { } expected && sum != expected)
        {
            throw new TinyLlmException(
                $"{path}: is there, but has SHA-256 {sum}; expected {expected}. Remove it to download it again, "
                + "or say --accept-new to keep it as it is.");
        }

        sums.Keep(file.Name, download.Url, bytes, sum);
        return true;
    }

    private async Task FetchAsync(HttpClient client, RemoteFile download, SumsFile sums, CancellationToken stop)
    {
        var url = Address(download.Url);
        string path = folder.PathOf(download.File);
        using var part = PartialFile.Open(path, url);
        var transfer = new FileDownload(client, url, download.File, folder.Set.Page, settings, progress);
        string? expected = Expected(download, download.File, sums);
        await transfer.RunAsync(part, stop);
        string sum = await part.Sha256Async(stop);
        if (sum != (expected ?? sum) && part.IsPieced)
        {
            // Pieces of two versions, or bytes that a power cut lost: only a fetch in one piece proves the source
            // wrong.
            progress?.Report(
                new DownloadProgress(
                    download.File.Name, 0, null, "the pieces do not fit together; fetching it from its beginning"));
            part.Clear();
            await transfer.RunAsync(part, stop);
            sum = await part.Sha256Async(stop);
        }

        if (sum != (expected ?? sum))
        {
            part.Delete();
            throw new TinyLlmException(
                $"{url}: has SHA-256 {sum}; expected {expected}. The file at the source is another one than before: "
                + $"see {folder.Set.Page}; "
                + "--accept-new takes it as it is.");
        }

        if (download.Members.Count > 0)
        {
            Unpack(part, download, sums);
            return;
        }

        long length = part.Length;
        part.Complete();
        sums.Keep(download.File.Name, download.Url, length, sum);
    }

    // The archive keeps its temporary name until all is out of it, so that a kill on the way loses nothing.
    private void Unpack(PartialFile part, RemoteFile download, SumsFile sums)
    {
        foreach (var member in download.Members)
        {
            progress?.Report(
                new DownloadProgress(download.File.Name, part.Length, part.Length, $"unpacking {member.File.Name}"));
            var (bytes, sum) = ZipUnpacking.Unpack(
                part.Content, download.Url, member, folder.PathOf(member.File), Expected(download, member.File, sums));
            sums.Keep(member.File.Name, download.Url, bytes, sum);
        }

        part.Delete();
    }

    // --accept-new expects nothing; what was seen or accepted before goes before the table.
    private string? Expected(RemoteFile download, DataFile file, SumsFile sums) =>
        settings.AcceptNew ? null : sums.Find(file.Name, download.Url) ?? file.Sha256;

    private long Needed(RemoteFile download)
    {
        string part = folder.PathOf(download.File) + PartialFile.Suffix;
        long begun = File.Exists(part) ? new FileInfo(part).Length : 0;
        return Math.Max(0, (download.File.Bytes ?? 0) - begun) + download.Members.Sum(member => member.File.Bytes ?? 0);
    }

    private Uri Address(string url)
    {
        var address = new Uri(url);
        return settings.UrlBase is null ? address : new Uri(settings.UrlBase, address.PathAndQuery);
    }

    private static async Task<(long Bytes, string Sum)> MeasureAsync(string path, CancellationToken stop)
    {
        try
        {
            await using var stream = File.OpenRead(path);
            return (stream.Length, await FileSum.OfAsync(stream, path, stop));
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }

    // A stall is noticed by the download itself, which may take hours; a proxy is of no use to reach this machine.
    private HttpClient CreateClient()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = settings.Stall,
            UseProxy = settings.UrlBase is not { IsLoopback: true }
        };
        var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.ParseAdd(
            "TinyLlm/" + typeof(DataSetDownload).Assembly.GetName().Version!.ToString(2));
        return client;
    }
}
