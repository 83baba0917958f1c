using System.Diagnostics;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Startup;

/// <summary>A process that is run again and again, from its start to its end.</summary>
internal sealed class TimedProcess(string program, params string[] arguments)
{
    /// <summary>Seconds of each measured run.</summary>
    public Sample Seconds { get; } = new();

    /// <summary>Runs it and keeps the time.</summary>
    public void Measure() => Seconds.Add(Run());

    /// <summary>Runs it and returns the seconds.</summary>
    /// <exception cref="InvalidOperationException">It failed, or wrote nothing.</exception>
    public double Run()
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        long begin = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        if (process.ExitCode != 0 || output.Length == 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit code "
                + $"{process.ExitCode} and {output.Length} characters of output; expected 0 and some.");
        }

        return seconds;
    }
}
