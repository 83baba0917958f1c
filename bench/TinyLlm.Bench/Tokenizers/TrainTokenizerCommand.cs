using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using TinyLlm.Bench.Processes;
using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>What a process that trained a tokenizer says on its standard output.</summary>
/// <param name="Seconds">From the first byte read to the vocabulary in memory.</param>
/// <param name="CpuSeconds">Processor time of all threads in that time, which busy neighbours lengthen less.</param>
/// <param name="PeakBytes">The most memory that the process had, code included.</param>
/// <param name="Vocabulary">Tokens of the vocabulary.</param>
/// <param name="PreTokens">Distinct pre-tokens of the text, where the trainer tells.</param>
internal sealed record TrainTokenizerReply(
    double Seconds, double CpuSeconds, long PeakBytes, int Vocabulary, long PreTokens);

/// <summary>
/// <c>train-tokenizer</c>, hidden: trains one BPE vocabulary in a process of its own, so that its memory can be told
/// from the other side's.
/// </summary>
internal static class TrainTokenizerCommand
{
    public const string Name = "train-tokenizer";

    private const int PieceBytes = 1 << 20;

    public static Command Create()
    {
        var text = new Argument<string>("text");
        var folder = new Argument<string>("folder");
        var vocabulary = new Argument<int>("vocabulary");
        var threads = new Argument<int>("threads");
        var command = new Command(Name) { text, folder, vocabulary, threads };
        command.Hidden = true;
        command.SetAction(
            parse => Train(
                parse.GetValue(text)!, parse.GetValue(folder)!, parse.GetValue(vocabulary), parse.GetValue(threads)));
        return command;
    }

    private static void Train(string text, string folder, int vocabulary, int threads)
    {
        var progress = new LastProgress();
        var cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        var tokenizer = BpeTrainer.Train(TextPieces.Read(text, PieceBytes), vocabulary, threads, progress);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpuSeconds = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
        long peak = OwnProgram.PeakBytes();
        tokenizer.Save(folder);
        Console.WriteLine(
            JsonSerializer.Serialize(
                new TrainTokenizerReply(
                    seconds, cpuSeconds, peak, tokenizer.VocabularySize, progress.Value.DistinctPreTokens)));
    }

    private sealed class LastProgress : IProgress<BpeProgress>
    {
        public BpeProgress Value { get; private set; }

        public void Report(BpeProgress value) => Value = value;
    }
}
