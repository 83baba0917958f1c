using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Spectre.Console;
using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>
/// Where a conversation is typed and shown: lines of the user, with a prompt where both ends are a terminal; answers on
/// stdout; remarks of the program on stderr. Ctrl-C stops the answer that is being written; pressed again, without a
/// line in between, it ends the input. SIGTERM and the end of the terminal end it at once, and so does Ctrl-C where a
/// pipe has not had a line yet.
/// </summary>
internal sealed class ChatTerminal : IDisposable
{
    private readonly Lock one = new();
    // Lines, null at their end; Ctrl-C while none is being answered.
    private readonly BlockingCollection<(bool IsLine, string? Line)> events = [];
    // Released for each line that is to be read: none is taken from the terminal before its time.
    private readonly SemaphoreSlim wanted = new(0);
    private readonly PosixSignalRegistration[] signals;
    private readonly IAnsiConsole remarks = ErrorConsole.Open();
    private CancellationTokenSource? answer; // while one is being written
    private int interrupts; // since the last line
    private bool ended, begun;
    private volatile bool terminated;

    public ChatTerminal()
    {
        Output = StandardStreams.OpenOutput();
        // Ends with the program: nothing wakes a thread that waits for a key.
        new Thread(ReadLines) { IsBackground = true }.Start();
        signals = [Signals.On(PosixSignal.SIGINT, Interrupt), Signals.On(PosixSignal.SIGTERM, Terminate),
            Signals.On(PosixSignal.SIGHUP, Terminate)];
    }

    /// <summary>Whether a person sits at both ends.</summary>
    public static bool IsLive => StandardStreams.IsInputTerminal && !Console.IsOutputRedirected;

    /// <summary>Whether SIGTERM or the end of the terminal has ended the chat.</summary>
    public bool IsTerminated => terminated;

    /// <summary>Standard output, as bytes.</summary>
    public Stream Output { get; }

    /// <summary>The next line; null at the end of the input.</summary>
    /// <param name="prompt">Shown on a terminal.</param>
    public string? ReadLine(string prompt)
    {
        if (ended || terminated)
            return null;
        Ask(prompt);
        wanted.Release();
        while (true)
        {
            var (isLine, line) = events.Take();
            lock (one)
            {
                interrupts = isLine ? 0 : interrupts + 1;
                begun |= isLine;
            }

            ended = isLine ? line is null : interrupts > 1;
            if (isLine || ended)
            {
                if (ended && IsLive)
                    Write("\n");
                return line;
            }

            if (IsLive)
                Write("\n");
            Remark("Ctrl-C once more, or /quit, ends the chat.");
            Ask(prompt);
        }
    }

    /// <summary>Runs what writes an answer, which Ctrl-C stops.</summary>
    public void Answer(Action<CancellationToken> write)
    {
        using var stop = new CancellationTokenSource();
        lock (one)
            answer = stop;
        if (terminated)
            stop.Cancel();
        try
        {
            write(stop.Token);
        }
        finally
        {
            lock (one)
                answer = null;
        }
    }

    /// <summary>Writes a text on stdout.</summary>
    public void Write(string text)
    {
        Output.Write(Encoding.UTF8.GetBytes(text));
        Output.Flush();
    }

    /// <summary>A line of the program, on stderr.</summary>
    public void Remark(string text)
    {
        foreach (string line in text.Split('\n').SelectMany(line => TextWrap.Lines(line, ErrorConsole.Width)))
            remarks.WriteLine(line, new Style(decoration: Decoration.Dim));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var signal in signals)
            signal.Dispose();
        Output.Dispose();
    }

    private void Ask(string prompt)
    {
        if (IsLive)
            Write(prompt);
    }

    private void Interrupt()
    {
        lock (one)
        {
            if (answer is not null)
            {
                interrupts = 1;
                answer.Cancel();
                return;
            }
        }

        // From a pipe that never had a line nothing is lost.
        if (IsLive || begun)
            events.Add((false, null));
        else
            Terminate();
    }

    private void Terminate()
    {
        terminated = true;
        lock (one)
            answer?.Cancel();
        events.Add((true, null));
    }

    private void ReadLines()
    {
        // A terminal's own reader edits lines; what comes from a pipe is UTF-8, whatever the console believes in.
        using var reader = StandardStreams.IsInputTerminal ? Console.In
            : new StreamReader(StandardStreams.OpenInput(), new UTF8Encoding(false));
        string? line;
        do
        {
            wanted.Wait();
            line = ReadLine(reader);
            events.Add((true, line));
        }
        while (line is not null);
    }

    // A terminal that is gone has no more lines.
    private static string? ReadLine(TextReader reader)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (IOException)
        {
            return null;
        }
    }
}
