using System.Runtime.InteropServices;
using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Generates tokens: runs the prompt in chunks, then decodes one token at a time with a key-value cache. Several
/// samples of a prompt are the rows of one batch, which costs little more than one of them: the weights are read once
/// for all.
/// </summary>
/// <remarks>
/// The model has seen no position beyond its context. When the window is full, its older half is dropped and the newer
/// half is fed anew from position 0, so the text can go on without end; what was dropped is no longer seen. A prompt
/// longer than the context is cut in the same way: its last tokens count. A sample does not depend on the others of its
/// batch: its sampler draws its own numbers, and on the CPU its logits have the same bits as without them.
/// </remarks>
public sealed class Generator : IDisposable
{
    /// <summary>The most rows of a batch: with more a step takes as much longer as it gives more tokens.</summary>
    public const int MaxRows = 16;

    // Tokens of the prompt that go through the model at once: enough to be worth packing the weights.
    private const int ChunkSize = 512;

    private readonly Gpt model;
    private readonly bool reuse;
    private readonly Arena arena, scratch;
    private readonly KvCache cache;
    private readonly Tensor logits;  // (rows, Vpadded)
    private readonly float[] logitRows;
    private readonly int[] tokenBuffer, positionBuffer;
    private (Activations Activations, KvCache Cache)? decoding; // of as many rows as there are samples left
    private Sample? first; // whose keys and values the first row of the cache holds
    private int[] held = []; // the tokens of the first row, where the next prompt may begin with them

    /// <summary>Plans and takes the memory for generating with <paramref name="model"/>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The most samples of a batch, up to <see cref="MaxRows"/>.</param>
    /// <param name="length">The most tokens of a prompt and what is generated from it, where they are fewer than the
    /// model's context: the cache is as long.</param>
    /// <param name="reuse">
    /// Whether a prompt that begins as the text before it, as the next question of a chat does, is fed from where they
    /// part. Its logits round differently then: a token that was generated went through the model alone, a prompt's
    /// with its neighbours.
    /// </param>
    /// <exception cref="TinyLlmException">The memory is not there.</exception>
    public Generator(Gpt model, int rows = 1, int length = int.MaxValue, bool reuse = false)
    {
        if (rows is < 1 or > MaxRows)
            throw new ArgumentException($"Generator: {rows} rows; expected 1 to {MaxRows}.", nameof(rows));
        (this.model, this.reuse) = (model, reuse);
        (arena, scratch) = (new Arena(model.Backend, "generation"), new Arena(model.Backend, "generation"));
        (cache, logits) = Plan(model.Config, arena, scratch, rows, length);
        arena.Allocate();
        scratch.Allocate();
        logitRows = new float[logits.Count];
        int tokens = Math.Max(ChunkSize, rows);
        (tokenBuffer, positionBuffer) = (new int[tokens], new int[tokens]);
    }

    /// <summary>Tokens of the last prompt that did not go through the model again.</summary>
    internal int Reused { get; private set; }

    /// <summary>
    /// Rows for <paramref name="samples"/> samples of <paramref name="length"/> tokens: as many as there are samples,
    /// up to <see cref="MaxRows"/> and to what fits into memory; at least one.
    /// </summary>
    public static int ChooseRows(Gpt model, int samples, int length)
    {
        int rows = Math.Min(samples, MaxRows);
        for (long available = model.Backend.AvailableBytes; rows > 1; rows--)
        {
            using Arena arena = new(model.Backend, "generation"), scratch = new(model.Backend, "generation");
            Plan(model.Config, arena, scratch, rows, length);
            if (arena.Bytes + scratch.Bytes <= available)
                break;
        }

        return rows;
    }

    /// <summary>
    /// Generates up to <paramref name="maxTokens"/> tokens after <paramref name="prompt"/>, which must have at least
    /// one. Each goes to <paramref name="accept"/> as it comes; false ends the generation.
    /// </summary>
    /// <exception cref="TinyLlmException">A prompt token is outside the vocabulary, or the model gives no finite
    /// logits.</exception>
    public void Generate(
        ReadOnlySpan<int> prompt, int maxTokens, Sampler sampler, Func<int, bool> accept,
        CancellationToken stop = default) =>
            Generate(prompt, maxTokens, [sampler], (_, token) => accept(token), stop);

    /// <summary>
    /// Generates a sample for each of <paramref name="samplers"/>, at most as many as there are rows, all after the
    /// same prompt and at the same time. Each token goes to
    /// <paramref name="accept"/> with the number of its sample; false ends that sample and leaves the others alone.
    /// </summary>
    /// <exception cref="TinyLlmException">A prompt token is outside the vocabulary, or the model gives no finite
    /// logits.</exception>
    public void Generate(
        ReadOnlySpan<int> prompt, int maxTokens, IReadOnlyList<Sampler> samplers, Func<int, int, bool> accept,
        CancellationToken stop = default)
    {
        if (prompt.IsEmpty)
        {
            throw new ArgumentException(
                "Generate: the prompt is empty; begin with the end-of-text token.", nameof(prompt));
        }

        if (samplers.Count < 1 || samplers.Count > logits.Shape[0])
        {
            throw new ArgumentException($"Generate: {samplers.Count} samplers; expected 1 to {logits.Shape[0]}, the "
                + "rows that were planned.", nameof(samplers));
        }

        if (Math.Min((long)prompt.Length + maxTokens, model.Config.Context) > cache.Capacity)
        {
            throw new ArgumentException($"Generate: {prompt.Length} tokens and {maxTokens} more; the cache was "
                + $"planned for {cache.Capacity}.", nameof(maxTokens));
        }

        if (maxTokens <= 0 || stop.IsCancellationRequested)
            return;

        var samples = new List<Sample>();
        foreach (var sampler in samplers)
            samples.Add(new Sample(samples.Count, sampler, [.. prompt]));
        var window = prompt[^Math.Min(prompt.Length, model.Config.Context)..];
        Reused = Math.Min(window.CommonPrefixLength(held), window.Length - 1); // the last token gives the logits
        (first, held) = (samples[0], []); // nothing to go on from where the model fails
        Feed(0, window, Reused);
        for (int row = 1; row < samples.Count; row++)
            cache.CopyRow(0, row);

        Draw(samples, accept, ofPrompt: true);
        for (int i = 1; i < maxTokens && samples.Count > 0 && !stop.IsCancellationRequested; i++)
        {
            Advance(samples);
            Draw(samples, accept, ofPrompt: false);
        }

        // The newest token has been drawn and not fed.
        if (reuse)
            held = [.. first.Tokens[^(cache.Lengths[0] + 1)..^1]];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        arena.Dispose();
        scratch.Dispose();
    }

    private static (KvCache Cache, Tensor Logits) Plan(
        GptConfig config, Arena arena, Arena scratch, int rows, int length)
    {
        int capacity = Math.Min(length, config.Context);

        // The same memory serves a chunk of the prompt and a step of all rows.
        _ = new Activations(scratch, config, 1, Math.Max(Math.Min(ChunkSize, capacity), rows), training: false);
        return (new KvCache(arena, config, rows, capacity), arena.Add("logits", (rows, config.PaddedVocabulary)));
    }

    // Every sample's next token. Finished samples leave their row to the last one.
    private void Draw(List<Sample> samples, Func<int, int, bool> accept, bool ofPrompt)
    {
        int padded = model.Config.PaddedVocabulary, count = ofPrompt ? 1 : samples.Count;
        model.Backend.Read(logits.Slice(0, 0, count).View(count * padded), logitRows.AsSpan(0, count * padded));
        for (int row = samples.Count - 1; row >= 0; row--)
        {
            var sample = samples[row];
            int token = sample.Sampler.Next(
                logitRows.AsSpan(ofPrompt ? 0 : row * padded, model.Config.VocabularySize),
                CollectionsMarshal.AsSpan(sample.Tokens));
            sample.Tokens.Add(token);
            if (accept(sample.Number, token))
                continue;
            int last = samples.Count - 1;
            if (row < last)
                cache.CopyRow(last, row);
            if (row == 0)
                first = samples[last];
            samples[row] = samples[last];
            samples.RemoveAt(last);
        }
    }

    // Feeds every sample's newest token; afterwards its row of logits is that behind it.
    private void Advance(List<Sample> samples)
    {
        int held = cache.Lengths[0];
        if (held == model.Config.Context)
        {
            int keep = Math.Max(1, held / 2);
            for (int row = 0; row < samples.Count; row++)
                Feed(row, CollectionsMarshal.AsSpan(samples[row].Tokens)[^keep..], 0);
            return;
        }

        if (decoding is not { } step || step.Activations.B != samples.Count)
            decoding = step = (PlanPass(samples.Count, 1), cache.Rows(0, samples.Count));
        for (int row = 0; row < samples.Count; row++)
            (tokenBuffer[row], positionBuffer[row]) = (samples[row].Tokens[^1], held);
        Pass(step.Activations, step.Cache);
        model.Logits(
            step.Activations.Hidden.View((samples.Count, model.Config.Width)), logits.Slice(0, 0, samples.Count));
    }

    // Fills a row of the cache, which holds the first tokens already; afterwards its row of logits is that behind the
    // last token.
    private void Feed(int row, ReadOnlySpan<int> tokens, int present)
    {
        var target = cache.Rows(row, 1);
        target.Cut(present);
        tokens = tokens[present..];
        while (!tokens.IsEmpty)
        {
            int count = Math.Min(tokens.Length, ChunkSize), held = target.Lengths[0];
            tokens[..count].CopyTo(tokenBuffer);
            for (int i = 0; i < count; i++)
                positionBuffer[i] = held + i;
            var activations = PlanPass(1, count);
            Pass(activations, target);
            tokens = tokens[count..];
            if (tokens.IsEmpty)
            {
                model.Logits(
                    activations.Hidden.Slice(1, count - 1, 1).View((1, model.Config.Width)), logits.Slice(0, row, 1));
            }
        }
    }

    private Activations PlanPass(int b, int t)
    {
        var plan = new Arena(scratch);
        var activations = new Activations(plan, model.Config, b, t, training: false);
        plan.Allocate();
        return activations;
    }

    private void Pass(Activations a, KvCache rows)
    {
        a.SetInputs(tokenBuffer.AsSpan(0, a.B * a.T), positionBuffer.AsSpan(0, a.B * a.T));
        model.Forward(a, rows);
        rows.Advance(a.T);
    }

    /// <summary>A text that is being written.</summary>
    private sealed record Sample(int Number, Sampler Sampler, List<int> Tokens);
}
