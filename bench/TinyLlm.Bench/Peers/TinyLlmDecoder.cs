using System.Diagnostics;
using TinyLlm.Bench.Decoding;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Bench.Peers;

/// <summary>TinyLlm's own generator, as <c>tinyllm generate --temperature 0</c> runs it.</summary>
internal sealed class TinyLlmDecoder : IDecoder
{
    private readonly Backend backend;
    private readonly Gpt model;
    private readonly Generator generator;

    public TinyLlmDecoder(ModelSize size, string weights, int threads)
    {
        backend = Backend.Create("cpu", threads);
        model = new Gpt(size.Gpt2(), backend);
        WeightsFile.Load(weights, model);
        generator = new Generator(model);
    }

    /// <summary>Bytes of the weights that every token needs: all but the positions, of which it needs one row.</summary>
    public long BytesPerToken => sizeof(float) * model.Parameters.All.Where(p => p.Name != "transformer.wpe.weight").Sum(p => p.Shape.Count);

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
        return new Generation([.. tokens], Stopwatch.GetElapsedTime(start, first).TotalSeconds, Stopwatch.GetElapsedTime(first).TotalSeconds);
    }

    public void Dispose()
    {
        generator.Dispose();
        model.Dispose();
        backend.Dispose();
    }
}
