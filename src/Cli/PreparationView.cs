using System.Diagnostics;
using System.Globalization;
using TinyLlm.Training.Data.Sources;
using TinyLlm.Training.Data.Tokens;

namespace TinyLlm.Cli;

/// <summary>Shows on stderr how far text is encoded: a line that is overwritten on a terminal, a line every few seconds elsewhere.</summary>
internal sealed class PreparationView : IProgress<PreparationProgress>
{
    private static readonly TimeSpan LiveEvery = TimeSpan.FromSeconds(0.2), PlainEvery = TimeSpan.FromSeconds(5);

    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly Lock one = new();
    private readonly bool live = !Console.IsErrorRedirected;
    private TimeSpan next = TimeSpan.Zero;
    private long firstBytes = -1;

    public void Report(PreparationProgress value)
    {
        lock (one)
        {
            // What an earlier run had done comes at once, and would make the speed look better than it is.
            if (firstBytes < 0 && value.Tokens > 0)
                firstBytes = 0;
            if (value.Tokens == 0)
                firstBytes = value.Bytes;
            bool last = value.Bytes >= value.TotalBytes;
            if (clock.Elapsed < next && !last)
                return;
            next = clock.Elapsed + (live ? LiveEvery : PlainEvery);
            double speed = (value.Bytes - firstBytes) / 1e6 / clock.Elapsed.TotalSeconds;
            string line = string.Create(CultureInfo.InvariantCulture,
                $"tokenizing: {value.Bytes / 1e6:N0} of {value.TotalBytes / 1e6:N0} MB, {value.Tokens:N0} tokens, {speed:F0} MB/s");
            if (live)
                Console.Error.Write($"\r{line}\u001b[K{(last ? "\n" : "")}");
            else
                Console.Error.WriteLine(line);
        }
    }

    /// <summary>Names the lines that were left out.</summary>
    public static void ShowBadLines(ReadReport report)
    {
        if (report.BadLineCount == 0)
            return;
        Console.Error.WriteLine($"{report.BadLineCount:N0} bad lines were left out, the first of them:");
        foreach (var line in report.BadLines)
            Console.Error.WriteLine($"  {line}");
    }
}
