using System.Diagnostics;
using System.Text.Json;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// Training of a BPE vocabulary on one text, TinyLlm and Hugging Face's library in turn, each in a process of its own.
/// </summary>
internal sealed class TrainingContest(
    string text, TemporaryFolder folder, NpmPackages packages, int threads, int rounds)
{
    private const double TargetSpeed = 2, TargetMemory = 0.5, TargetSeconds = 10;
    private const int SmallVocabulary = 8192;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Seconds and bytes of the processes' peak memory.</summary>
    private sealed record Result(
        string Model, double Ours, double OursSpread, double OursCpu, long OursBytes, double? Peer, double? PeerSpread,
        double? PeerCpu, long? PeerBytes, double? Ratio, double? MemoryRatio, long PreTokens);

    /// <summary>Trains, leaves our vocabulary in a folder, and prints a table.</summary>
    public void Run(int vocabulary, string ourFolder, string pattern, ResultsFile results)
    {
        Side ours = new(), peer = new(), small = new();
        for (int round = 0; round < rounds; round++)
        {
            ours.Add(TrainOurs(vocabulary, ourFolder));
            peer.Add(TrainPeer(pattern));
            small.Add(TrainOurs(SmallVocabulary, folder["small"]));
        }

        double speed = ours.Seconds.SpeedUpOver(peer.Seconds), memory = (double)ours.Bytes / peer.Bytes;
        Console.WriteLine($"\ntraining with {threads} threads, {ours.Last!.PreTokens:N0} distinct pre-tokens; medians "
            + $"of {rounds} rounds, in turn; memory: the process's peak\n");
        var table = new Table(
            "                              ", "vocabulary", " seconds", "spread", "CPU seconds", "    MiB",
            "times as fast    ", "memory                   ");
        Add("TinyLlm", ours, Figures.AtLeast(speed, TargetSpeed), Figures.AtMost(memory, TargetMemory));
        Add($"Hugging Face {NpmPackages.HuggingFace}", peer, "1", "1");
        Add("TinyLlm", small, "", "");
        double shared =
            SharedTokens(Path.Combine(ourFolder, "tokenizer.json"), Path.Combine(folder["peer"], "tokenizer.json"));
        Console.WriteLine(
            $"\nof TinyLlm's tokens {shared:P1} are Hugging Face's too; {SmallVocabulary} tokens: target "
            + $"{TargetSeconds} s or less");
        results.Add(
            new Result($"bpe-{vocabulary}", ours.Seconds.Median, ours.Seconds.Spread, ours.CpuSeconds.Median,
                ours.Bytes, peer.Seconds.Median, peer.Seconds.Spread, peer.CpuSeconds.Median, peer.Bytes, speed, memory,
                ours.Last.PreTokens));
        results.Add(
            new Result($"bpe-{SmallVocabulary}", small.Seconds.Median, small.Seconds.Spread, small.CpuSeconds.Median,
                small.Bytes, null, null, null, null, null, null, small.Last!.PreTokens));

        void Add(string name, Side side, string speed, string memory) =>
            table.Add(name, $"{side.Last!.Vocabulary:N0}", $"{side.Seconds.Median:F2}", $"{side.Seconds.Spread:P0}",
                $"{side.CpuSeconds.Median:F2}", $"{Figures.MiB(side.Bytes):F0}", speed, memory);
    }

    private TrainTokenizerReply TrainOurs(int vocabulary, string ourFolder) =>
        Reply(new ProcessStartInfo(
            OwnProgram.Path,
            OwnProgram.Arguments(
                TrainTokenizerCommand.Name, text, ourFolder, $"{vocabulary}",
                $"{threads}")) { RedirectStandardOutput = true });

    private TrainTokenizerReply TrainPeer(string pattern)
    {
        var start = packages.Node("huggingface-train.js", text, folder["peer"], pattern);
        start.Environment["RAYON_NUM_THREADS"] = $"{threads}";
        return Reply(start);
    }

    private static TrainTokenizerReply Reply(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        string? last = null;
        while (process.StandardOutput.ReadLine() is { } line)
            last = line; // the library shows its progress on the same stream
        process.WaitForExit();
        if (process.ExitCode != 0 || last is null)
        {
            throw new InvalidOperationException($"{start.FileName} {string.Join(' ', start.ArgumentList)}: exit code "
                + $"{process.ExitCode}; what it wrote before says why.");
        }

        return JsonSerializer.Deserialize<TrainTokenizerReply>(last, Json)!;
    }

    private static double SharedTokens(string ours, string peers)
    {
        HashSet<string> theirs = [.. Tokens(peers)];
        string[] own = [.. Tokens(ours)];
        return (double)own.Count(theirs.Contains) / own.Length;

        static IEnumerable<string> Tokens(string file)
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            return [.. json.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject()
                .Select(token => token.Name)];
        }
    }

    /// <summary>What one side's processes said.</summary>
    private sealed class Side
    {
        public Sample Seconds { get; } = new();
        public Sample CpuSeconds { get; } = new();
        public long Bytes { get; private set; }
        public TrainTokenizerReply? Last { get; private set; }

        public void Add(TrainTokenizerReply reply)
        {
            Last = reply;
            Seconds.Add(reply.Seconds);
            CpuSeconds.Add(reply.CpuSeconds);
            Bytes = Math.Max(Bytes, reply.PeakBytes);
        }
    }
}
