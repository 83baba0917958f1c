using System.Diagnostics;

namespace TinyLlm.Cli;

/// <summary>
/// One line on stderr that says how far something is: overwritten on a terminal, and gone when it is over; elsewhere a line every few seconds. For several threads at once.
/// </summary>
/// <param name="first">How long the work may take before anything is shown.</param>
internal sealed class StatusLine(TimeSpan first) : IDisposable
{
    private static readonly TimeSpan LiveEvery = TimeSpan.FromSeconds(0.2), PlainEvery = TimeSpan.FromSeconds(5);

    private readonly Lock one = new();
    private TimeSpan next = first;
    private bool shown;

    /// <summary>Runs since the line was made.</summary>
    public Stopwatch Clock { get; } = Stopwatch.StartNew();

    /// <summary>Shows a text, if it is time for one.</summary>
    /// <param name="text">Makes it; asked only then, by one thread at a time.</param>
    /// <param name="always">Whether it is always time, as for the last.</param>
    public void Show(Func<string> text, bool always = false)
    {
        lock (one)
        {
            if (Clock.Elapsed < next && !always)
                return;
            next = Clock.Elapsed + (ErrorConsole.IsLive ? LiveEvery : PlainEvery);
            shown = true;
            if (ErrorConsole.IsLive)
                Console.Error.Write($"\r{text()}\u001b[K");
            else
                Console.Error.WriteLine(text());
        }
    }

    /// <summary>Leaves an empty line to what comes next.</summary>
    public void Dispose()
    {
        if (shown && ErrorConsole.IsLive)
            Console.Error.Write("\r\u001b[K");
    }
}
