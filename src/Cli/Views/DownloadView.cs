using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using TinyLlm.Cli.Terminal;
using TinyLlm.Data.Downloads;

namespace TinyLlm.Cli;

/// <summary>
/// Shows downloads on stderr: a live line a file with bar, bytes, speed and time left on a terminal, a plain line now
/// and then elsewhere.
/// </summary>
internal sealed class DownloadView : IProgress<DownloadProgress>
{
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(5);

    private readonly IAnsiConsole console = ErrorConsole.Open();
    private readonly Stopwatch clock = new();
    private readonly FieldLine fields = new();
    private StatusLine? live;
    private string file = "";
    private long first;
    private TimeSpan shown;

    /// <summary>Where the last file stands.</summary>
    public DownloadProgress Last { get; private set; }

    /// <summary>Runs the work inside the display.</summary>
    public async Task<bool> RunAsync(Func<Task<bool>> work)
    {
        using var line = new StatusLine(first: TimeSpan.Zero);
        if (ErrorConsole.IsLive)
            live = line;
        return await work();
    }

    /// <inheritdoc/>
    public void Report(DownloadProgress value)
    {
        if (value.Note is not null)
            Line($"{value.File}: {value.Note}");
        else
            Count(value);
        Last = value;
    }

    /// <summary>A size for people, such as 1.9 GB.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:F1} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F1} GB"),
    };

    private void Count(DownloadProgress value)
    {
        // A new file, or one that begins anew. The bytes of earlier runs are no speed of this one.
        bool begins = file != value.File || value.Bytes < first, ends = value.Bytes == value.Total;
        if (begins)
        {
            (file, first, shown) = (value.File, value.Bytes, TimeSpan.Zero);
            clock.Restart();
        }

        if (!begins && !ends && live is null && clock.Elapsed - shown < PlainEvery)
            return;
        shown = clock.Elapsed;
        if (live is null || ends)
            Line(string.Join("  ", Describe(value).Select(field => field.Long)));
        else
        {
            live.ShowBar((double)value.Bytes / Math.Max(1, value.Total ?? 0), room =>
                fields.Fit(room, Describe(value)));
        }
    }

    private void Line(string text)
    {
        if (live is null)
            console.WriteLine(text);
        else
            live.Above(() => console.WriteLine(text));
    }

    private Field[] Describe(DownloadProgress value)
    {
        string size = value.Total is { } whole
            ? string.Create(CultureInfo.InvariantCulture,
                $"{Size(value.Bytes)} of {Size(whole)} ({Math.Floor(100.0 * value.Bytes / Math.Max(1, whole)):F0}%)")
            : Size(value.Bytes);
        Field name = new($"{value.File}: {size}", $"{value.File}: {Size(value.Bytes)}", 0);
        double speed = (value.Bytes - first) / Math.Max(1e-3, shown.TotalSeconds);
        if (speed <= 0)
            return [name];
        Field rate = new($"{Size((long)speed)}/s", 2);
        return value.Total - value.Bytes is > 0 and { } rest
            ? [name, rate, new Field($"{ProgressView.Time(rest / speed)} left", 1)] : [name, rate];
    }
}
