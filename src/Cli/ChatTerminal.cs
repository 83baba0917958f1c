using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Spectre.Console;

namespace TinyLlm.Cli;

/// <summary>
/// Where a conversation is typed and shown: lines of the user, with a prompt where both ends are a terminal; answers on stdout; remarks of the program on stderr. Ctrl-C stops the
/// answer that is being written; pressed again, without a line in between, it ends the input.
/// </summary>
internal sealed class ChatTerminal : IDisposable
{
    private readonly Lock one = new();
    private readonly BlockingCollection<(bool IsLine, string? Line)> events = []; // lines, null at their end; Ctrl-C while none is being answered
    private readonly SemaphoreSlim wanted = new(0); // released for each line that is to be read: none is taken from the terminal before its time
    private readonly PosixSignalRegistration interrupt;
    private readonly IAnsiConsole remarks = ErrorConsole.Open();
    private CancellationTokenSource? answer; // while one is being written
    private int interrupts; // since the last line
    private bool ended;

    public ChatTerminal()
    {
        Output = Console.OpenStandardOutput();
        new Thread(ReadLines) { IsBackground = true }.Start(); // ends with the program: nothing wakes a thread that waits for a key
        interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            Interrupt();
        });
    }

    /// <summary>Whether a person sits at both ends.</summary>
    public static bool IsLive => !Console.IsInputRedirected && !Console.IsOutputRedirected;

    /// <summary>Standard output, as bytes.</summary>
    public Stream Output { get; }

    /// <summary>The next line; null at the end of the input.</summary>
    /// <param name="prompt">Shown on a terminal.</param>
    public string? ReadLine(string prompt)
    {
        if (ended)
            return null;
        Ask(prompt);
        wanted.Release();
        while (true)
        {
            var (isLine, line) = events.Take();
            lock (one)
                interrupts = isLine ? 0 : interrupts + 1;
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
    public void Remark(string text) => remarks.WriteLine(text, new Style(decoration: Decoration.Dim));

    /// <inheritdoc/>
    public void Dispose()
    {
        interrupt.Dispose();
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

        events.Add((false, null));
    }

    private void ReadLines()
    {
        // A terminal's own reader edits lines; what comes from a pipe is UTF-8, whatever the console believes in.
        using var reader = Console.IsInputRedirected ? new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false)) : Console.In;
        string? line;
        do
        {
            wanted.Wait();
            line = reader.ReadLine();
            events.Add((true, line));
        }
        while (line is not null);
    }
}
