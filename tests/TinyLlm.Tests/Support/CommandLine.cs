using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace TinyLlm.Tests.Support;

/// <summary>How the program ended.</summary>
/// <param name="ExitCode">Its exit code; 128 and the signal's number where a signal ended it.</param>
/// <param name="Output">All bytes of stdout.</param>
/// <param name="Error">All of stderr.</param>
/// <param name="PeakBytes">The most memory that it was seen to hold.</param>
public sealed record CommandResult(int ExitCode, byte[] Output, string Error, long PeakBytes)
{
    /// <summary>Stdout as text.</summary>
    public string Text => Encoding.UTF8.GetString(Output);

    /// <summary>The lines of stderr.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs the built program, which lies beside the tests, in a folder as a user would.</summary>
public sealed class CommandLine(string folder)
{
    private static readonly string Executable =
        Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "tinyllm.exe" : "tinyllm");

    /// <summary>
    /// Runs a command to its end. <paramref name="words"/> are cut at spaces; <paramref name="more"/> are taken as they
    /// are.
    /// </summary>
    public CommandResult Run(string words, params string[] more) => Run([], words, more);

    /// <summary>Runs a command with this standard input.</summary>
    public CommandResult Run(byte[] input, string words, params string[] more)
    {
        using var command = Start(words, more);
        command.Write(input);
        return command.Finish();
    }

    /// <summary>Starts a command.</summary>
    public RunningCommand Start(string words, params string[] more) =>
        Launch(Executable, [.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. more]);

    /// <summary>Starts a command of a shell, in which $TINYLLM is the program.</summary>
    public RunningCommand StartInShell(string script) => Launch("/bin/sh", ["-c", script]);

    /// <summary>Runs a command of a shell, in which $TINYLLM is the program.</summary>
    public CommandResult RunInShell(string script)
    {
        using var command = StartInShell(script);
        command.Write([]);
        return command.Finish();
    }

    private RunningCommand Launch(string file, string[] arguments)
    {
        var info = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        };
        info.Environment["TINYLLM"] = Executable;
        // A build server's variables, which would colour the output of some programs.
        info.Environment["GITHUB_ACTIONS"] = "true";
        info.Environment["FORCE_COLOR"] = "1";
        return new RunningCommand(Process.Start(info)!, string.Join(' ', arguments));
    }
}

/// <summary>A command that runs.</summary>
public sealed class RunningCommand : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    private readonly Process process;
    private readonly string name;
    private readonly List<byte> output = [];
    private readonly StringBuilder error = new();
    private readonly Thread[] readers;
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private long peak;

    internal RunningCommand(Process process, string name)
    {
        (this.process, this.name) = (process, name);
        readers = [new Thread(ReadOutput), new Thread(ReadError)];
        foreach (var reader in readers)
            reader.Start();
    }

    /// <summary>Waits until stderr has a line with this text.</summary>
    public void WaitForLine(string text) => WaitFor(() =>
    {
        lock (error)
            return error.ToString().Contains(text, StringComparison.Ordinal);
    }, $"a line with \"{text}\"");

    /// <summary>Waits until stdout has this many bytes.</summary>
    public void WaitForOutput(int bytes) => WaitFor(() => OutputLength >= bytes, $"{bytes} bytes of output");

    /// <summary>Bytes of stdout so far.</summary>
    public int OutputLength
    {
        get
        {
            lock (output)
                return output.Count;
        }
    }

    /// <summary>Sends input, after which more may follow.</summary>
    public void Send(string text)
    {
        process.StandardInput.BaseStream.Write(Encoding.UTF8.GetBytes(text));
        process.StandardInput.BaseStream.Flush();
    }

    /// <summary>Waits until a condition holds or the command has ended, which the condition must tell apart.</summary>
    public void WaitFor(Func<bool> condition, string what)
    {
        while (!condition())
        {
            if (process.HasExited && !condition())
            {
                throw new InvalidOperationException(
                    $"tinyllm {name} ended with exit code {process.ExitCode} before {what}: {Finish().Error}");
            }

            Pause(what);
        }
    }

    /// <summary>Sends a signal: 1 SIGHUP, 2 SIGINT, 9 SIGKILL, 15 SIGTERM.</summary>
    public void Signal(int number)
    {
        if (Kill(process.Id, number) != 0 && !process.HasExited)
            throw new InvalidOperationException($"The signal {number} could not be sent.");
    }

    /// <summary>The files that it has in its memory so far, programs and libraries among them. Linux only.</summary>
    public string[] MappedFiles =>
        [.. File.ReadLines($"/proc/{process.Id}/maps").Where(line => line.Contains('/'))
            .Select(line => Path.GetFileName(line)).Distinct()];

    /// <summary>
    /// Waits until it handles SIGHUP, which the program does from the beginning of a command on that a signal cancels.
    /// Linux only.
    /// </summary>
    public void WaitForSignalHandlers() => WaitFor(() =>
        File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith("SigCgt:", StringComparison.Ordinal))
            is var line
        && (Convert.ToUInt64(line["SigCgt:".Length..].Trim(), 16) & 1) == 1, "handling signals");

    /// <summary>Waits for the end.</summary>
    public CommandResult Finish()
    {
        while (!process.WaitForExit(10))
            Pause("its end");
        foreach (var reader in readers)
            reader.Join();
        return new CommandResult(process.ExitCode, [.. output], error.ToString(), peak);
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill();
        process.Dispose();
    }

    internal void Write(byte[] input)
    {
        try
        {
            process.StandardInput.BaseStream.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // A command that ended without reading.
        }
    }

    private void Pause(string what)
    {
        Measure();
        if (clock.Elapsed < Limit)
        {
            Thread.Sleep(5);
            return;
        }

        process.Kill();
        throw new TimeoutException(
            $"tinyllm {name} took more than {Limit.TotalSeconds} s without {what}; stderr: {error}");
    }

    private void Measure()
    {
        try
        {
            process.Refresh();
            peak = Math.Max(peak, process.WorkingSet64);
        }
        catch (InvalidOperationException)
        {
            // It ended a moment ago.
        }
    }

    private void ReadOutput()
    {
        var buffer = new byte[1 << 16];
        while (process.StandardOutput.BaseStream.Read(buffer) is > 0 and int count)
        {
            lock (output)
                output.AddRange(buffer.AsSpan(0, count));
        }
    }

    private void ReadError()
    {
        while (process.StandardError.ReadLine() is { } line)
        {
            lock (error)
                error.Append(line).Append('\n');
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
