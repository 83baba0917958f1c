using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Writes on: feeds a prompt through the model in chunks, then one token after another, keeping keys and values in a cache.
/// </summary>
/// <remarks>
/// The model has seen no position beyond its context. When the window is full, its older half is dropped and the newer half is fed
/// anew from position 0, so the text can go on without end; what was dropped is no longer seen. A prompt longer than the context is cut in the
/// same way: its last tokens count.
/// </remarks>
public sealed class Generator : IDisposable
{
    private const int ChunkSize = 64;

    private readonly Gpt model;
    private readonly Arena arena;
    private readonly KvCache cache;
    private readonly Activations single, chunk;
    private readonly Tensor logits;
    private readonly float[] row;
    private readonly int[] tokenBuffer, positionBuffer;
    private readonly List<int> window = []; // the tokens whose keys and values the cache holds

    /// <summary>Plans and takes the memory for generating with <paramref name="model"/>.</summary>
    /// <exception cref="TinyLlmException">The memory is not there.</exception>
    public Generator(Gpt model)
    {
        this.model = model;
        int size = Math.Min(ChunkSize, model.Config.Context);
        arena = new Arena(model.Backend, "generation");
        cache = new KvCache(arena, model.Config, 1);
        single = new Activations(arena, model.Config, 1, 1, training: false);
        chunk = new Activations(arena, model.Config, 1, size, training: false);
        logits = arena.Add("logits", (1, model.Config.PaddedVocabulary));
        arena.Allocate();
        row = new float[model.Config.PaddedVocabulary];
        (tokenBuffer, positionBuffer) = (new int[size], new int[size]);
    }

    /// <summary>
    /// Generates up to <paramref name="maxTokens"/> tokens after <paramref name="prompt"/>, which must have at least one. Each goes to <paramref name="accept"/>
    /// as it comes; false ends the generation.
    /// </summary>
    /// <exception cref="TinyLlmException">A prompt token is outside the vocabulary, or the model gives no finite logits.</exception>
    public void Generate(ReadOnlySpan<int> prompt, int maxTokens, Sampler sampler, Func<int, bool> accept, CancellationToken stop = default)
    {
        if (prompt.IsEmpty)
            throw new ArgumentException("Generate: the prompt is empty; begin with the end-of-text token.", nameof(prompt));
        if (maxTokens <= 0)
            return;

        List<int> history = [.. prompt];
        cache.Clear();
        window.Clear();
        Append(prompt);
        for (int i = 0; i < maxTokens && !stop.IsCancellationRequested; i++)
        {
            model.Backend.Read(logits.View(row.Length), row);
            int token = sampler.Next(row.AsSpan(0, model.Config.VocabularySize), System.Runtime.InteropServices.CollectionsMarshal.AsSpan(history));
            history.Add(token);
            if (!accept(token) || i + 1 == maxTokens)
                return;
            Append([token]);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();

    /// <summary>Feeds tokens; afterwards <see cref="logits"/> are those behind the last one.</summary>
    private void Append(ReadOnlySpan<int> tokens)
    {
        int context = model.Config.Context;
        if (window.Count + tokens.Length > context)
        {
            // Keep the newest tokens that leave half of the context free; never less than the tokens that are new, if they fit.
            int keep = Math.Min(context, Math.Max(context / 2, Math.Min(tokens.Length, context)));
            var all = new List<int>(window);
            all.AddRange(tokens);
            window.Clear();
            cache.Clear();
            Feed(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(all)[^Math.Min(keep, all.Count)..]);
            return;
        }

        Feed(tokens);
    }

    private void Feed(ReadOnlySpan<int> tokens)
    {
        while (!tokens.IsEmpty)
        {
            // A short last chunk is filled up: what follows a token changes nothing for it, and the next tokens overwrite it in the cache.
            int room = model.Config.Context - window.Count;
            bool whole = tokens.Length > 1 && room >= chunk.T;
            var a = whole ? chunk : single;
            int count = Math.Min(tokens.Length, a.T);
            for (int i = 0; i < a.T; i++)
            {
                tokenBuffer[i] = tokens[Math.Min(i, count - 1)];
                positionBuffer[i] = window.Count + i;
            }

            a.SetInputs(tokenBuffer.AsSpan(0, a.T), positionBuffer.AsSpan(0, a.T));
            model.Forward(a, cache);
            cache.Advance(0, count);
            window.AddRange(tokens[..count]);
            tokens = tokens[count..];
            if (tokens.IsEmpty)
                model.Logits(a.Hidden.Slice(1, count - 1, 1).View((1, model.Config.Width)), logits);
        }
    }
}
