using System.Diagnostics;
using Spectre.Console;
using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>
/// One line on stderr that says how far something is: overwritten on a terminal, never wider than it, and gone when it
/// is over; elsewhere a line every few seconds. For several threads at once.
/// </summary>
/// <param name="first">How long the work may take before anything is shown.</param>
internal sealed class StatusLine(TimeSpan first) : IDisposable
{
    private const string ClearLine = "\r\u001b[K";

    private static readonly TimeSpan LiveEvery = TimeSpan.FromSeconds(0.2), PlainEvery = TimeSpan.FromSeconds(5);

    private readonly Lock one = new();
    private readonly IAnsiConsole console = ErrorConsole.Open();
    private TimeSpan next = first;
    private string drawn = ""; // what stands on the terminal

    /// <summary>Runs since the line was made.</summary>
    public Stopwatch Clock { get; } = Stopwatch.StartNew();

    /// <summary>Shows a text, if it is time for one.</summary>
    /// <param name="text">Makes it; asked only then, by one thread at a time.</param>
    /// <param name="always">Whether it is always time, as for the last.</param>
    public void Show(Func<string> text, bool always = false)
    {
        lock (one)
        {
            if (IsTime(always))
                Draw(text());
        }
    }

    /// <summary>Shows a bar and a text, if it is time for one; on a terminal only.</summary>
    /// <param name="share">How much is done, 0 to 1.</param>
    /// <param name="text">Makes a text of at most so many cells.</param>
    public void ShowBar(double share, Func<int, string> text)
    {
        lock (one)
        {
            if (!ErrorConsole.IsLive || !IsTime(always: false))
                return;
            int bar = Math.Min(24, ErrorConsole.Width / 4);
            string percent = $" {100 * share,3:F0}%  ";
            string rest = percent + text(ErrorConsole.Width - 1 - bar - percent.Length);
            Draw(rest, bar, (int)(bar * Math.Clamp(share, 0, 1)));
        }
    }

    /// <summary>Writes lines above this one.</summary>
    public void Above(Action write)
    {
        lock (one)
        {
            string line = drawn;
            Clear();
            write();
            if (line.Length > 0)
                Put(line);
        }
    }

    /// <summary>Leaves an empty line to what comes next.</summary>
    public void Dispose()
    {
        lock (one)
            Clear();
    }

    private bool IsTime(bool always)
    {
        if (Clock.Elapsed < next && !always)
            return false;
        next = Clock.Elapsed + (ErrorConsole.IsLive ? LiveEvery : PlainEvery);
        return true;
    }

    // One cell stays free: in the last one a terminal may begin the next line.
    private void Draw(string text, int bar = 0, int done = 0)
    {
        if (!ErrorConsole.IsLive)
            Console.Error.WriteLine(text);
        else
            Put(Bar(bar, done) + TextWrap.Cut(text, ErrorConsole.Width - 1 - bar));
    }

    private string Bar(int cells, int done)
    {
        if (cells == 0)
            return "";
        var (full, empty) = console.Profile.Capabilities.Unicode ? ('━', '━') : ('#', '-');
        if (console.Profile.Capabilities.ColorSystem == ColorSystem.NoColors)
            return new string(full, done) + new string(full == empty ? '─' : empty, cells - done);
        return $"\u001b[32m{new string(full, done)}\u001b[90m{new string(empty, cells - done)}\u001b[0m";
    }

    private void Put(string line)
    {
        Console.Error.Write(ClearLine + line);
        drawn = line;
    }

    private void Clear()
    {
        if (drawn.Length > 0)
            Console.Error.Write(ClearLine);
        drawn = "";
    }
}
