using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using TinyLlm.Bench.Peers;
using TinyLlm.Bench.Processes;

namespace TinyLlm.Bench.Training;

/// <summary>
/// <c>trainee</c>, hidden: one side of <c>train</c> in a process of its own, so that its memory can be told from the
/// other's. Its standard input has the setup and then numbers of steps, one a line; each is answered by a line on
/// standard output. The end of the input ends it.
/// </summary>
internal static class TraineeCommand
{
    public const string Name = "trainee", Ours = "TinyLlm", Theirs = "libtorch";

    public static Command Create()
    {
        var side = new Argument<string>("side");
        side.AcceptOnlyFromAmong(Ours, Theirs);
        var command = new Command(Name) { side };
        command.Hidden = true;
        command.SetAction(parse => Serve(parse.GetValue(side)!));
        return command;
    }

    private static void Serve(string side)
    {
        var setup = JsonSerializer.Deserialize<TraineeSetup>(Console.ReadLine()!)!;
        using ITrainee trainee = side == Ours ? new TinyLlmTrainee(setup) : LibTorch(setup);
        var batches = new Batches(setup.Size);
        Answer(Train(trainee, batches, 0));
        while (Console.ReadLine() is { } line)
            Answer(Train(trainee, batches, int.Parse(line, CultureInfo.InvariantCulture)));
    }

    // Not inlined: the process that trains our model never sees a type of TorchSharp's.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TorchTrainee LibTorch(TraineeSetup setup)
    {
        NativeSetup.MendTorchSharp();
        return new TorchTrainee(setup);
    }

    private static TraineeReply Train(ITrainee trainee, Batches batches, int steps)
    {
        float[] losses = new float[steps];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < steps; i++)
        {
            batches.Next();
            losses[i] = trainee.Step(batches.Tokens, batches.Targets);
        }

        return new TraineeReply(Stopwatch.GetElapsedTime(start).TotalSeconds, losses, OwnProgram.PeakBytes());
    }

    private static void Answer(TraineeReply reply) => Console.WriteLine(JsonSerializer.Serialize(reply));
}
