using System.Diagnostics;
using TinyLlm.Bench.Decoding;
using TinyLlm.Bench.Timing;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// libtorch's GPT-2 with a cache of keys and values that is there from the start. The prompt goes through the model at
/// once.
/// </summary>
internal sealed class TorchDecoder : IDecoder
{
    private readonly TorchGpt model;
    private readonly Tensor[] keys, values; // L of (1, H, Tmax, D)
    private int length;

    public TorchDecoder(ModelSize size, string weights, int threads)
    {
        set_num_threads(threads);
        model = new TorchGpt(size, weights);
        keys = [.. Enumerable.Range(0, size.Layers)
            .Select(_ => zeros(1, size.Heads, size.Context, size.Width / size.Heads))];
        values = [.. keys.Select(cache => zeros_like(cache))];
    }

    public Generation Generate(int[] prompt, int count)
    {
        using var mode = inference_mode();
        int[] tokens = new int[count];
        long start = Stopwatch.GetTimestamp(), first = 0;
        length = 0;
        int[] next = prompt;
        for (int i = 0; i < count; i++)
        {
            using var scope = NewDisposeScope();
            tokens[i] = (int)Feed(next).argmax().item<long>();
            next = [tokens[i]];
            if (i == 0)
                first = Stopwatch.GetTimestamp();
        }

        return new Generation(
            tokens, Stopwatch.GetElapsedTime(start, first).TotalSeconds, Stopwatch.GetElapsedTime(first).TotalSeconds);
    }

    /// <summary>
    /// By how much another's tokens miss the likeliest at most: the largest logit less the token's, by this model's
    /// logits.
    /// </summary>
    public double LargestMiss(int[] prompt, int[] tokens)
    {
        using var mode = inference_mode();
        double largest = 0;
        length = 0;
        int[] next = prompt;
        foreach (int token in tokens)
        {
            using var scope = NewDisposeScope();
            var logits = Feed(next);
            largest = Math.Max(largest, (logits.max() - logits[token]).item<float>());
            next = [token];
        }

        return largest;
    }

    public void Dispose()
    {
        foreach (var tensor in keys.Concat(values))
            tensor.Dispose();
        model.Dispose();
    }

    // Logits (V) behind the last of the tokens.
    private Tensor Feed(int[] tokens)
    {
        int first = length, t = tokens.Length;
        length += t;
        var hidden = model.Hidden(tensor(tokens, [1, t]).to(ScalarType.Int64), first, (layer, q, k, v) =>
        {
            keys[layer].narrow(2, first, t).copy_(k);
            values[layer].narrow(2, first, t).copy_(v);
            return F.scaled_dot_product_attention(
                q, keys[layer].narrow(2, 0, length), values[layer].narrow(2, 0, length), is_casual: t > 1);
        });
        return model.Logits(hidden.select(1, t - 1)).view(-1);
    }
}
