using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using TinyLlm.Training.Data.Downloads;

namespace TinyLlm.Cli;

/// <summary>Shows downloads on stderr: a live line a file with bar, bytes, speed and time left on a terminal, a plain line now and then elsewhere.</summary>
internal sealed class DownloadView : IProgress<DownloadProgress>
{
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LiveEvery = TimeSpan.FromSeconds(0.1);

    private readonly IAnsiConsole console = ErrorConsole.Open();
    private readonly Stopwatch clock = new();
    private ProgressContext? live;
    private ProgressTask? task;
    private string file = "";
    private long first;
    private TimeSpan shown;

    /// <summary>Where the last file stands.</summary>
    public DownloadProgress Last { get; private set; }

    /// <summary>Runs the work inside the display.</summary>
    public Task<bool> RunAsync(Func<Task<bool>> work) => !ErrorConsole.IsLive
        ? work()
        : console.Progress()
            .Columns(new ProgressBarColumn { Width = 24 }, new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(context =>
            {
                live = context;
                return work();
            });

    /// <inheritdoc/>
    public void Report(DownloadProgress value)
    {
        if (value.Note is not null)
            console.WriteLine($"{value.File}: {value.Note}");
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
        bool begins = file != value.File || value.Bytes < first;
        if (begins)
        {
            if (file != value.File)
                task = live?.AddTask(Markup.Escape(value.File));
            (file, first, shown) = (value.File, value.Bytes, TimeSpan.Zero);
            clock.Restart();
        }

        if (!begins && value.Bytes != value.Total && clock.Elapsed - shown < (live is null ? PlainEvery : LiveEvery))
            return;
        shown = clock.Elapsed;
        if (task is null)
            console.WriteLine(Describe(value));
        else
            Show(value, task);
    }

    private void Show(DownloadProgress value, ProgressTask bar)
    {
        bar.IsIndeterminate = value.Total is null;
        bar.MaxValue = value.Total ?? Math.Max(1, value.Bytes);
        bar.Value = value.Bytes;
        bar.Description = Markup.Escape(Describe(value));
    }

    private string Describe(DownloadProgress value)
    {
        string line = value.Total is { } whole
            ? string.Create(CultureInfo.InvariantCulture, $"{value.File}: {Size(value.Bytes)} of {Size(whole)} ({Math.Floor(100.0 * value.Bytes / Math.Max(1, whole)):F0}%)")
            : $"{value.File}: {Size(value.Bytes)}";
        double speed = (value.Bytes - first) / Math.Max(1e-3, shown.TotalSeconds);
        if (speed <= 0)
            return line;
        string left = value.Total - value.Bytes is > 0 and { } rest ? $"  {ProgressView.Time(rest / speed)} left" : "";
        return $"{line}  {Size((long)speed)}/s{left}";
    }
}
