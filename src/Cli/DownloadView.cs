using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using TinyLlm.Training.Data.Downloads;

namespace TinyLlm.Cli;

/// <summary>Shows downloads on stderr: a live line a file with bar, bytes, speed and time left on a terminal, a plain line now and then elsewhere.</summary>
internal sealed class DownloadView : IProgress<DownloadProgress>
{
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(5);

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
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 24 }, new DownloadedColumn { Base = FileSizeBase.Decimal }, new TransferSpeedColumn { Base = FileSizeBase.Decimal }, new RemainingTimeColumn())
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
        else if (live is not null)
            Show(value);
        else
            Write(value);
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

    private void Show(DownloadProgress value)
    {
        if (task is null || file != value.File)
        {
            task = live!.AddTask(value.File, autoStart: false);
            file = value.File;
        }

        task.IsIndeterminate = value.Total is null;
        task.MaxValue = value.Total ?? Math.Max(1, value.Bytes);
        task.Value = value.Bytes;
        if (!task.IsStarted)
            task.StartTask(); // after the bytes of earlier runs, which are no speed of this one
    }

    private void Write(DownloadProgress value)
    {
        if (file != value.File || value.Bytes < first)
        {
            (file, first, shown) = (value.File, value.Bytes, TimeSpan.Zero);
            clock.Restart();
            console.WriteLine($"{value.File}: {Of(value)}");
        }
        else if (value.Bytes == value.Total || clock.Elapsed - shown >= PlainEvery)
        {
            shown = clock.Elapsed;
            double speed = (value.Bytes - first) / Math.Max(1e-3, shown.TotalSeconds);
            string left = value.Total is { } total && speed > 0 ? $"  {ProgressView.Time((total - value.Bytes) / speed)} left" : "";
            console.WriteLine($"{value.File}: {Of(value)}  {Size((long)speed)}/s{left}");
        }
    }

    private static string Of(DownloadProgress value) => value.Total is { } total
        ? string.Create(CultureInfo.InvariantCulture, $"{Size(value.Bytes)} of {Size(total)} ({100.0 * value.Bytes / Math.Max(1, total):F0}%)")
        : Size(value.Bytes);
}
