using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>Decoding with the cache against the full forward pass, over chunked prompts and past the context.</summary>
public class GeneratorTests
{
    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void CachedDecoding_EqualsTheFullForwardPass(Architecture architecture)
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, architecture, context: 90);
        int[] text = RandomTokens(90);
        using var full = new ModelRun(model, 1, 90);
        full.Forward(text, text);
        float[] expected = full.Logits();

        // A prompt of one whole chunk and a rest, then single tokens.
        using var arena = new Arena(backend, "decoding");
        var cache = new KvCache(arena, model.Config, 1);
        var chunk = new Activations(arena, model.Config, 1, 64, training: false);
        var single = new Activations(arena, model.Config, 1, 1, training: false);
        var logits = arena.Add("logits", (64, model.Config.PaddedVocabulary));
        arena.Allocate();
        var actual = new List<float>();
        for (int at = 0; at < 90;)
        {
            var a = at == 0 ? chunk : single;
            a.SetInputs(text.AsSpan(at, a.T), Enumerable.Range(at, a.T).ToArray());
            model.Forward(a, cache);
            cache.Advance(a.T);
            var rows = logits.Slice(0, 0, a.T);
            model.Logits(a.Hidden.View((a.T, model.Config.Width)), rows);
            float[] values = ModelRun.Read(rows);
            for (int row = 0; row < a.T; row++)
            {
                actual.AddRange(
                    values[(row * model.Config.PaddedVocabulary)..(row * model.Config.PaddedVocabulary
                    + model.Config.VocabularySize)]);
            }

            at += a.T;
        }

        Close(expected, [.. actual]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(70)]
    public void GreedyText_IsThatOfTheFullForwardPass(int promptLength)
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, Architecture.Qwen3, context: 96);
        using var full = new ModelRun(model, 1, 96);
        int[] prompt = RandomTokens(promptLength);
        var expected = new List<int>(prompt);
        while (expected.Count < 90)
        {
            int[] padded = [.. expected, .. new int[96 - expected.Count]];
            full.Forward(padded, padded);
            var row = full.Logits()
                .AsSpan((expected.Count - 1) * model.Config.VocabularySize, model.Config.VocabularySize);
            expected.Add(IndexOfMax(row));
        }

        Assert.Equal(expected.Skip(promptLength), Greedy(model, prompt, 90 - promptLength));
    }

    [Fact]
    public void PastTheContext_TheNewerHalfIsFedAnew()
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, Architecture.Gpt2, context: 16);
        var text = Greedy(model, [3, 1, 4], 60);
        Assert.Equal(60, text.Count);

        // 3 + 13 tokens fill the window; the 14th new one comes from all of them, the 15th from the newest half and
        // itself.
        List<int> all = [3, 1, 4, .. text];
        var window = all.GetRange(17 - 8, 8);
        Assert.Equal(all[17], Greedy(model, [.. window], 1)[0]);
    }

    [Fact]
    public void APromptLongerThanTheContext_IsCutToItsEnd()
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, Architecture.Llama, context: 16);
        int[] prompt = RandomTokens(50);

        Assert.Equal(Greedy(model, prompt[^16..], 1), Greedy(model, prompt, 1));
    }

    /// <summary>A chat's next prompt begins as the text before it: with the cache kept, the same tokens come.</summary>
    [Theory]
    [InlineData(Architecture.Gpt2, 1)]
    [InlineData(Architecture.Llama, 3)]
    [InlineData(Architecture.Qwen3, 2)]
    public void AKeptCache_GivesTheTokensOfAnEmptyOne(Architecture architecture, int rows)
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, architecture, context: 40);
        using var generator = new Generator(model, rows, reuse: true);
        int[] text = RandomTokens(30);

        // The same beginning, none, all of it, a part of it, and one that is cut because it is too long.
        int[][] prompts =
            [text[..10], text[5..30], text[5..30], [.. text[5..20], 1, 2, 3], [.. text, .. text], text[5..25]];
        var reused = new List<int>();
        foreach (int[] prompt in prompts)
        {
            Assert.Equal(Greedy(model, prompt, 8), Tokens(prompt, 8));
            reused.Add(generator.Reused);
        }

        Assert.Equal([0, 0, 24, 15, 0, 0], reused);

        // What was generated counts too, but for the last token, which was not fed: after 10 + 4 tokens, 13 are there.
        int[] answer = Tokens(text[..10], 4);
        int[] next = [.. text[..10], .. answer, .. text[20..24]];
        Assert.Equal(Greedy(model, next, 8), Tokens(next, 8));
        Assert.Equal(13, generator.Reused);

        // Past the context the cache holds other positions.
        int[] beyond = Tokens(text[..10], 60);
        Assert.Equal(Greedy(model, text[..10], 60), beyond);
        int[] window = [.. text[..10], .. beyond];
        Assert.Equal(Greedy(model, window, 4), Tokens(window, 4));

        // Without it, nothing is kept.
        using var plain = new Generator(model);
        for (int time = 0; time < 2; time++)
        {
            plain.Generate(
                text, 3, new Sampler(new SamplerSettings { Temperature = 0 }, 0, model.Config.VocabularySize), _ =>
                    true, TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, plain.Reused);

        // Several samples, of which the first ends first: what the first row then holds is another's.
        int[] Tokens(int[] prompt, int count)
        {
            var tokens = new List<int>();
            var samplers = Enumerable.Range(0, rows)
                .Select(_ => new Sampler(new SamplerSettings { Temperature = 0 }, 0, model.Config.VocabularySize))
                    .ToArray();
            generator.Generate(prompt, count, samplers, (sample, token) =>
            {
                if (sample == rows - 1)
                    tokens.Add(token);
                return sample > 0 || rows == 1 || tokens.Count < 2;
            }, TestContext.Current.CancellationToken);
            return [.. tokens];
        }
    }

    /// <summary>Past the context, too, and with samples that end at different times.</summary>
    [Theory]
    [InlineData("cpu", Architecture.Gpt2, 1, 20)]
    [InlineData("cpu", Architecture.Llama, 5, 20)]
    [InlineData("cpu", Architecture.Qwen3, 16, 20)]
    [InlineData("simulated", Architecture.Gpt2, 2, 3)]
    public void ASample_IsTheSameInABatchAndAlone(string device, Architecture architecture, int rows, int tokens)
    {
        using var backend = Backend.Create(device);
        using var model = device == "cpu" ? Create(backend, architecture, context: 12)
            : Create(backend, architecture, context: 12, layers: 1, width: 8);
        int[] prompt = RandomTokens(7), lengths = [.. Enumerable.Range(0, rows).Select(sample => 1 + sample * 5 % 23)];
        var texts = Enumerable.Range(0, rows).Select(_ => new List<int>()).ToArray();
        using var generator = new Generator(model, rows);

        // Twice: nothing of the first time may be left.
        for (int time = 0; time < 2; time++)
        {
            Array.ForEach(texts, text => text.Clear());
            generator.Generate(prompt, tokens, [.. Enumerable.Range(0, rows).Select(Sampler)], (sample, token) =>
            {
                texts[sample].Add(token);
                return texts[sample].Count < lengths[sample];
            }, TestContext.Current.CancellationToken);
            for (int sample = 0; sample < rows; sample++)
                Assert.Equal(Text(model, prompt, Math.Min(tokens, lengths[sample]), Sampler(sample)), texts[sample]);
        }

        Sampler Sampler(int sample) =>
            new(new SamplerSettings { Temperature = 2, RepetitionPenalty = 1.2f }, 7, model.Config.VocabularySize,
                (uint)sample);
    }

    [Fact]
    public void AShortCache_ServesShortTexts_AndNoOthers()
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, Architecture.Qwen3, context: 96);
        int[] prompt = RandomTokens(7);
        using var generator = new Generator(model, length: 27);

        Assert.Equal(Greedy(model, prompt, 20), Text(generator, prompt, 20, GreedySampler(model)));
        Assert.Throws<ArgumentException>(() => Text(generator, prompt, 21, GreedySampler(model)));
        Assert.Throws<ArgumentException>(
            () => generator.Generate(
                prompt, 1, [GreedySampler(model), GreedySampler(model)], (_, _) =>
                    true, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Rows_AreAsManyAsFitIntoMemory()
    {
        using var backend = CpuBackend.Create(1);
        using var model = Create(backend, Architecture.Llama, context: 4096);

        // Keys and values of a row: 2 layers, 2 heads of 8, 4096 tokens.
        const long row = 2 * 2 * 2 * 8 * 4096 * sizeof(float);
        Assert.Equal(Generator.MaxRows, Generator.ChooseRows(model, 1000, 4096));
        Assert.Equal(5, Generator.ChooseRows(model, 5, 4096));
        backend.MemoryLimit = backend.ClaimedBytes + 4 * row;
        int rows = Generator.ChooseRows(model, 1000, 4096);
        Assert.InRange(rows, 2, 3);
        new Generator(model, rows, 4096).Dispose();
        Assert.Equal(Generator.MaxRows, Generator.ChooseRows(model, 1000, 100));
        backend.MemoryLimit = backend.ClaimedBytes;
        Assert.Equal(1, Generator.ChooseRows(model, 1000, 4096));
    }

    [Fact]
    public void AnUnknownToken_IsRefused()
    {
        using var backend = Backend.Create("cpu");
        using var model = Create(backend, Architecture.Llama, context: 16);

        var error = Assert.Throws<TinyLlmException>(() => Greedy(model, [5, 61], 1));

        Assert.Contains("Token id 61", error.Message, StringComparison.Ordinal);
        Assert.Contains("vocabulary of 61", error.Message, StringComparison.Ordinal);
    }

    private static Gpt Create(Backend backend, Architecture architecture, int context, int layers = 2, int width = 32)
    {
        var model = new Gpt(
            GptConfig.Create(architecture, layers, 4, width, context, 61, architecture == Architecture.Gpt2 ? 4 : 2),
            backend);
        model.Initialize(3);
        return model;
    }

    private static List<int> Greedy(Gpt model, int[] prompt, int tokens) =>
        Text(model, prompt, tokens, GreedySampler(model));

    private static Sampler GreedySampler(Gpt model) =>
        new(new SamplerSettings { Temperature = 0 }, 0, model.Config.VocabularySize);

    private static List<int> Text(Gpt model, int[] prompt, int tokens, Sampler sampler)
    {
        using var generator = new Generator(model);
        return Text(generator, prompt, tokens, sampler);
    }

    private static List<int> Text(Generator generator, int[] prompt, int tokens, Sampler sampler)
    {
        var text = new List<int>();
        generator.Generate(prompt, tokens, sampler, token =>
        {
            text.Add(token);
            return true;
        });
        return text;
    }

    private static int[] RandomTokens(int length)
    {
        var random = new Random(11);
        return Enumerable.Range(0, length).Select(_ => random.Next(61)).ToArray();
    }

    private static int IndexOfMax(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            best = row[i] > row[best] ? i : best;
        return best;
    }

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - actual[i]) <= 1e-5))
                Assert.Fail($"logit {i}: the full pass gives {expected[i]:R}, cached decoding {actual[i]:R}.");
        }
    }
}
