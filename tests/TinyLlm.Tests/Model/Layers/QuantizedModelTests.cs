using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>Whole models with 8-bit weights beside the same ones with floats.</summary>
public sealed class QuantizedModelTests : IDisposable
{
    private const int Context = 40, Vocabulary = 259;

    private readonly CpuBackend backend = CpuBackend.Create(threads: 2);
    private readonly TemporaryFolder folder = new();

    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void LogitsAndLosses_AreNearThoseOfFloats(Architecture architecture)
    {
        using var model = Floats(architecture);
        using var quantized = Quantized(model);
        int[] tokens = RandomTokens(Context);

        var (expected, expectedLosses) = WholePass(model, tokens);
        var (actual, losses) = WholePass(quantized, tokens);

        // A weight is off by a 254th of the largest of its block at most; the errors of a row go in all directions.
        Assert.InRange(Distance(expected, actual), 1e-5, 0.02);
        Assert.InRange(Distance(expectedLosses, losses), 1e-7, 0.005);
    }

    /// <summary>Single tokens round x to 16 bits, a whole pass does not.</summary>
    [Theory]
    [MemberData(nameof(Architectures))]
    public void CachedDecoding_IsNearTheWholePass(Architecture architecture)
    {
        using var model = Floats(architecture);
        using var quantized = Quantized(model);
        int[] tokens = RandomTokens(Context);
        var (expected, _) = WholePass(quantized, tokens);

        using var arena = new Arena(backend, "decoding");
        var cache = new KvCache(arena, quantized.Config, 1);
        var a = new Activations(arena, quantized.Config, 1, 1, training: false);
        var logits = arena.Add("logits", (1, quantized.Config.PaddedVocabulary));
        arena.Allocate();
        var actual = new List<float>();
        for (int i = 0; i < Context; i++)
        {
            a.SetInputs([tokens[i]], [i]);
            quantized.Forward(a, cache);
            cache.Advance(1);
            quantized.Logits(a.Hidden.View((1, quantized.Config.Width)), logits);
            actual.AddRange(ModelRun.Read(logits)[..Vocabulary]);
        }

        Assert.InRange(Distance(expected, [.. actual]), 0, 2e-4);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ASample_IsTheSameInABatchAndAlone(Architecture architecture)
    {
        using var model = Floats(architecture);
        using var quantized = Quantized(model);
        int[] prompt = RandomTokens(20);
        string[] batch = Texts(3), alone = Texts(1);
        Assert.Equal(alone[0], batch[0]);
        Assert.Equal(3, batch.Distinct().Count());

        string[] Texts(int rows)
        {
            using var generator = new Generator(quantized, rows);
            var texts = new string[rows];
            generator.Generate(
                prompt, 30, [.. Enumerable.Range(0, rows)
                .Select(row => new Sampler(new SamplerSettings(), 5, Vocabulary, (uint)row))], (row, token) =>
            {
                texts[row] += $" {token}";
                return true;
            }, TestContext.Current.CancellationToken);
            return texts;
        }
    }

    /// <summary>
    /// 1.0625 bytes a weight of the matrices and tables, and nothing beside them but the vectors and what rounds up.
    /// </summary>
    [Fact]
    public void Memory_IsThatOfTheIntegers()
    {
        // Rows of whole blocks.
        using var model = new Gpt(GptConfig.Create(Architecture.Llama, 2, 4, 64, Context, Vocabulary, 2), backend);
        long before = backend.ClaimedBytes;
        using var quantized = Quantized(model);

        long weights = model.Parameters.All.Where(p => p.Group != ParameterGroup.Vector).Sum(p => p.Shape.Count);
        Assert.InRange(quantized.Bytes, 1.0625 * weights, 1.0625 * weights + (model.Bytes - 4 * weights));
        Assert.InRange(quantized.Bytes, 0, 0.3 * model.Bytes);
        Assert.Equal(quantized.Bytes, backend.ClaimedBytes - before);
    }

    [Fact]
    public void ItCanBeNeitherTrainedNorSaved()
    {
        using var model = Floats(Architecture.Qwen3);
        using var quantized = Quantized(model);
        using var arena = new Arena(backend, "gradients");
        quantized.PlanGradients(arena);
        Assert.Contains(
            "neither trained nor saved",
            Assert.Throws<InvalidOperationException>(
                () => WeightsFile.Save(folder["w.safetensors"], quantized)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(
            () => quantized.ValueRange(quantized.Parameters.All[0], quantized.Parameters.All[^1]));
    }

    [Fact]
    public void ADeviceWithoutThem_RefusesThePlan()
    {
        using var simulated = Backend.Create("simulated");
        UserError.Expect(
            () => new Gpt(Config(Architecture.Llama) with { WeightType = DType.I8 }, simulated), "is I8",
            "--device simulated", "--weights fp32");
    }

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    private static GptConfig Config(Architecture architecture) =>
        GptConfig.Create(architecture, 2, 4, 72, Context, Vocabulary, architecture == Architecture.Gpt2 ? 4 : 2);

    private Gpt Floats(Architecture architecture)
    {
        var model = new Gpt(Config(architecture), backend);
        model.Initialize(3);
        return model;
    }

    // As the program loads it: from the file.
    private Gpt Quantized(Gpt model)
    {
        ModelFolder.Save(folder.Path, model, new ByteTokenizer());
        return ModelFolder.Load(folder.Path, backend, weightType: DType.I8).Model;
    }

    private static (float[] Logits, float[] Losses) WholePass(Gpt model, int[] tokens)
    {
        using var arena = new Arena(model.Backend, "test");
        var a = new Activations(arena, model.Config, 1, tokens.Length, training: false);
        var logits = arena.Add("logits", (tokens.Length, model.Config.PaddedVocabulary));
        arena.Allocate();
        a.SetInputs(tokens, [.. Enumerable.Range(0, tokens.Length)]);
        a.SetTargets(tokens);
        model.Forward(a);
        model.LogProbabilities(a);
        model.Logits(a.Hidden.View((tokens.Length, model.Config.Width)), logits);
        float[] values = ModelRun.Read(logits);
        return ([.. Enumerable.Range(0, tokens.Length)
            .SelectMany(row => values.AsSpan(row * model.Config.PaddedVocabulary, Vocabulary).ToArray())],
                ModelRun.Read(a.LogProbabilities));
    }

    private static double Distance(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return Math.Sqrt(
            expected.Zip(actual, (e, a) => Math.Pow((double)e - a, 2)).Sum() / expected.Sum(e => (double)e * e));
    }

    private static int[] RandomTokens(int length) => new RandomValues(4).Integers(length, 0, 256);
}
