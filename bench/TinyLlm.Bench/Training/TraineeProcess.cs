using System.Diagnostics;
using System.Text.Json;
using TinyLlm.Bench.Processes;

namespace TinyLlm.Bench.Training;

/// <summary>
/// The asking end of a <see cref="TraineeCommand"/>. It only works while it is asked to, so that of several one works
/// at a time.
/// </summary>
internal sealed class TraineeProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string side;
    private readonly Process process;

    /// <summary>Starts a side and waits until its model is there.</summary>
    /// <param name="environment">Variables that the process gets on top of this one's.</param>
    public TraineeProcess(string side, TraineeSetup setup, params (string Name, string Value)[] environment)
    {
        this.side = side;
        var start = new ProcessStartInfo(
            OwnProgram.Path, OwnProgram.Arguments(TraineeCommand.Name, side)) { RedirectStandardInput = true,
            RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        process = Process.Start(start)!;
        Ask(JsonSerializer.Serialize(setup));
    }

    /// <summary>The most memory that the process has had so far.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Has it train.</summary>
    public TraineeReply Train(int steps) => Ask($"{steps}");

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(Patience))
            process.Kill();
        process.Dispose();
    }

    private TraineeReply Ask(string line)
    {
        process.StandardInput.WriteLine(line);
        process.StandardInput.Flush();
        string answer = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"The process of {side} ended; what it wrote before says why.");
        var reply = JsonSerializer.Deserialize<TraineeReply>(answer)!;
        PeakBytes = reply.PeakBytes;
        return reply;
    }
}
