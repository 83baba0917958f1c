using System.Diagnostics;
using TinyLlm.Bench.Timing;
using TinyLlm.Bench.Tokenizers;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tokenizers;
using TinyLlm.Training;

namespace TinyLlm.Bench.Data;

/// <summary>
/// A text of some size: prepared into shards anew in every round, then read in batches in the order of training.
/// </summary>
internal sealed class PreparedText
{
    private const int Batches = 2000;

    private readonly string text, shards;
    private readonly Tokenizer tokenizer;
    private long position;

    public PreparedText(MixedText source, long bytes, Tokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        (text, shards, this.tokenizer) =
            (Path.Combine(folder, "text.txt"), Path.Combine(folder, "prepared"), tokenizer);
        source.Write(text, bytes);
        Bytes = new FileInfo(text).Length;
    }

    public long Bytes { get; }

    public long Tokens { get; private set; }

    /// <summary>Seconds of preparing it all.</summary>
    public Sample Preparing { get; } = new();

    /// <summary>Seconds of one batch of tiny.</summary>
    public Sample Batch { get; } = new();

    public void Measure(int threads)
    {
        if (Directory.Exists(shards))
            Directory.Delete(shards, recursive: true);
        long start = Stopwatch.GetTimestamp();
        new Preparation(DataSource.Parse([text], new SourceOptions()), tokenizer, shards).Run(threads);
        Preparing.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);

        using var tokens = PreparedTokens.Open(shards, tokenizer);
        Tokens = tokens.Count;
        IExamples examples = new Windows(tokens, StepOfTiny.Size.Context, keepRest: false, "training");
        var order = examples.Order(1);
        var batch = new Batch(StepOfTiny.Size.BatchSize, examples.Length);
        var places = new (long, long)[batch.B];
        Batch.Measure(Next, Batches);

        void Next()
        {
            for (int row = 0; row < places.Length; row++)
                places[row] = order.At(position++);
            batch.Fill(examples, places);
        }
    }
}
