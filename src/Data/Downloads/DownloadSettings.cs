namespace TinyLlm.Data.Downloads;

/// <summary>How files are downloaded.</summary>
public sealed record DownloadSettings
{
    /// <summary>
    /// Host that is asked instead of the one in the table, for the same paths: a mirror. Null: the table's.
    /// </summary>
    public Uri? UrlBase { get; init; }

    /// <summary>Whether bytes other than the expected ones are taken, and their sums expected from then on.</summary>
    public bool AcceptNew { get; init; }

    /// <summary>How long a connection may bring nothing before it counts as cut.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Attempts in a row that may bring nothing new before the download fails.</summary>
    public int Attempts { get; init; } = 8;

    /// <summary>As <see cref="Attempts"/>, where the host has not been reached at all.</summary>
    public int ConnectAttempts { get; init; } = 3;

    /// <summary>The wait before the second attempt; each further one is twice as long.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait that doubling comes to.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The longest wait that a server may ask for; where it asks for more, the download fails and says so.
    /// </summary>
    public TimeSpan LongestRetryAfter { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Free bytes on the disk of an existing folder.</summary>
    public Func<string, long> FreeBytes { get; init; } = FreeBytesOf;

    /// <summary>The wait after this many attempts in a row that brought nothing new.</summary>
    public TimeSpan Pause(int failures) =>
        TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, FirstPause.Ticks << Math.Min(failures - 1, 20)));

    private static long FreeBytesOf(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // A network share that does not tell: a full disk is then reported when it is full.
            return long.MaxValue;
        }
    }
}
