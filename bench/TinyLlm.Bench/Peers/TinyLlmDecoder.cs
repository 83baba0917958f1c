using System.Diagnostics;
using TinyLlm.Bench.Decoding;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// TinyLlm's own generator, as <c>tinyllm generate --temperature 0</c> runs it, with <c>--weights fp32</c> or
/// <c>int8</c>.
/// </summary>
internal sealed class TinyLlmDecoder : IDecoder
{
    private readonly Backend backend;
    private readonly Gpt model;
    private readonly Generator generator;

    public TinyLlmDecoder(ModelSize size, string weights, int threads, DType type)
    {
        backend = Backend.Create("cpu", threads);
        model = new Gpt(size.Gpt2() with { WeightType = type }, backend);
        WeightsFile.Load(weights, model);
        generator = new Generator(model, Samples);
    }

    /// <summary>Samples of a batch.</summary>
    public const int Samples = 8;

    /// <summary>
    /// Bytes of the weights that every token needs: all but the positions, of which it needs one row.
    /// </summary>
    public long BytesPerToken =>
        sizeof(float) * model.Parameters.All.Where(p => p.Name != "transformer.wpe.weight").Sum(p => p.Shape.Count);

    public Generation Generate(int[] prompt, int count)
    {
        var sampler = new Sampler(new SamplerSettings { Temperature = 0 }, seed: 0, model.Config.VocabularySize);
        var tokens = new List<int>(count);
        long start = Stopwatch.GetTimestamp(), first = 0;
        generator.Generate(prompt, count, sampler, token =>
        {
            if (tokens.Count == 0)
                first = Stopwatch.GetTimestamp();
            tokens.Add(token);
            return true;
        });
        return new Generation(
            [.. tokens], Stopwatch.GetElapsedTime(start, first).TotalSeconds,
            Stopwatch.GetElapsedTime(first).TotalSeconds);
    }

    /// <summary>
    /// Goes on from a prompt with several samples at once, as <c>--count</c> does; returns the seconds of a token of
    /// each.
    /// </summary>
    public double SecondsPerBatchToken(int[] prompt, int count)
    {
        var samplers = Enumerable.Range(0, Samples)
            .Select(i => new Sampler(new SamplerSettings(), seed: 1, model.Config.VocabularySize, (uint)i)).ToArray();
        long first = 0;
        generator.Generate(prompt, count, samplers, (_, _) =>
        {
            if (first == 0)
                first = Stopwatch.GetTimestamp();
            return true;
        });
        return Stopwatch.GetElapsedTime(first).TotalSeconds / ((count - 1) * Samples);
    }

    public void Dispose()
    {
        generator.Dispose();
        model.Dispose();
        backend.Dispose();
    }
}
