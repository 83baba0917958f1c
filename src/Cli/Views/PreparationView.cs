using System.Globalization;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;

namespace TinyLlm.Cli;

/// <summary>Shows on stderr how far text is encoded, and what was wrong with it.</summary>
internal sealed class PreparationView : IProgress<PreparationProgress>, IDisposable
{
    private readonly StatusLine line = new(first: TimeSpan.Zero);
    private long earlierBytes;

    public void Report(PreparationProgress value)
    {
        // What an earlier run had done comes at once, and would make the speed look better than it is.
        if (value.Tokens == 0)
            Interlocked.Exchange(ref earlierBytes, value.Bytes);
        line.Show(() => string.Create(CultureInfo.InvariantCulture,
            $"tokenizing: {value.Bytes / 1e6:N0} of {value.TotalBytes / 1e6:N0} MB, {value.Tokens:N0} tokens, "
            + $"{(value.Bytes - earlierBytes) / 1e6 / line.Clock.Elapsed.TotalSeconds:F0} MB/s"),
            always: value.Bytes >= value.TotalBytes);
    }

    public void Dispose() => line.Dispose();

    /// <summary>Names the lines that were left out.</summary>
    public static void ShowBadLines(ReadReport report)
    {
        if (report.BadLineCount == 0)
            return;
        Console.Error.WriteLine($"{report.BadLineCount:N0} bad lines were left out, the first of them:");
        foreach (var line in report.BadLines)
            ErrorConsole.WriteLine($"  {line}");
    }
}
