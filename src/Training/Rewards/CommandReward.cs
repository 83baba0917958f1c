using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace TinyLlm.Training.Rewards;

/// <summary>
/// An external program: it gets <c>{"prompt", "answer", "completion"}</c> as JSON lines on its standard input, and
/// writes a number a line. It is started once a step, by the system's shell.
/// </summary>
/// <param name="command">The command line.</param>
/// <param name="seconds">After which it is ended.</param>
public sealed class CommandReward(string command, double seconds) : IReward
{
    /// <inheritdoc/>
    public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop)
    {
        using var process = Start();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        try
        {
            var written = Write(process, attempts, limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            string output = process.StandardOutput.ReadToEndAsync(limit.Token).GetAwaiter().GetResult();
            process.WaitForExitAsync(limit.Token).GetAwaiter().GetResult();
            written.GetAwaiter().GetResult();
            if (process.ExitCode != 0)
            {
                throw Fault(
                    $"it ended with exit code {process.ExitCode}: {FirstLine(errors.GetAwaiter().GetResult())}");
            }

            return Parse(output, attempts.Count);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            stop.ThrowIfCancellationRequested();
            throw Fault($"it took more than {seconds.ToString(CultureInfo.InvariantCulture)} s (--reward-timeout) for "
                + $"{attempts.Count} lines");
        }
    }

    private static string FirstLine(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault("it said nothing").Trim();

    private Process Start()
    {
        string[] shell = OperatingSystem.IsWindows() ? ["cmd.exe", "/c"] : ["/bin/sh", "-c"];
        var start = new ProcessStartInfo(
            shell[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false
        };
        start.ArgumentList.Add(shell[1]);
        start.ArgumentList.Add(command);
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw Fault($"it cannot be started ({e.Message})");
        }
    }

    // A program may end before it has read everything: its exit code says what is to be said.
    private static async Task Write(Process process, IReadOnlyList<Attempt> attempts, CancellationToken stop)
    {
        try
        {
            foreach (var attempt in attempts)
            {
                await process.StandardInput.WriteLineAsync(
                    JsonSerializer.Serialize(attempt, JsonSerializerOptions.Web).AsMemory(), stop)
                    .ConfigureAwait(false);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
        }
    }

    private double[] Parse(string output, int count)
    {
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (lines.Length != count)
            throw Fault($"it wrote {lines.Length} lines for {count} answers; expected a number for each");
        var scores = new double[count];
        for (int i = 0; i < count; i++)
        {
            if (!double.TryParse(lines[i], NumberStyles.Float, CultureInfo.InvariantCulture, out scores[i])
                || !double.IsFinite(scores[i]))
            {
                throw Fault($"line {i + 1} is \"{(lines[i].Length > 40 ? lines[i][..40] + "..." : lines[i])}\"; "
                    + "expected a finite number");
            }
        }

        return scores;
    }

    private TinyLlmException Fault(string what) => new($"--reward-command {command}: {what}.");
}
