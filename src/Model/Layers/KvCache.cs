using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Keys and values of the tokens so far, for decoding: each step computes only the new ones. Rows may differ in length.
/// </summary>
public sealed class KvCache
{
    private readonly Memory<int> lengths;

    /// <summary>
    /// Plans a cache for <paramref name="b"/> rows of up to the model's context in <paramref name="arena"/>.
    /// </summary>
    public KvCache(Arena arena, GptConfig config, int b) : this(arena, config, b, config.Context) { }

    /// <summary>
    /// Plans a cache for <paramref name="b"/> rows of up to <paramref name="capacity"/> tokens in
    /// <paramref name="arena"/>.
    /// </summary>
    public KvCache(Arena arena, GptConfig config, int b, int capacity)
    {
        Capacity = capacity;
        lengths = new int[b];
        Offsets = arena.Add("cache.offsets", b, DType.I32);
        Keys = new Tensor[config.Layers];
        Values = new Tensor[config.Layers];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            Keys[layer] =
                arena.Add($"cache.{layer}.keys", (b, capacity, config.KvHeads, config.HeadSize), config.ComputeType);
            Values[layer] =
                arena.Add($"cache.{layer}.values", (b, capacity, config.KvHeads, config.HeadSize), config.ComputeType);
        }
    }

    private KvCache(KvCache cache, int first, int count)
    {
        Capacity = cache.Capacity;
        lengths = cache.lengths.Slice(first, count);
        Offsets = cache.Offsets.Slice(0, first, count);
        Keys = Array.ConvertAll(cache.Keys, keys => keys.Slice(0, first, count));
        Values = Array.ConvertAll(cache.Values, values => values.Slice(0, first, count));
    }

    /// <summary>Tokens that a row can hold.</summary>
    public int Capacity { get; }

    /// <summary>Tokens that each row holds.</summary>
    public ReadOnlySpan<int> Lengths => lengths.Span;

    internal Tensor Offsets { get; }   // (B) I32: the lengths, on the device
    internal Tensor[] Keys { get; }    // L of (B, Tmax, Hkv, D)
    internal Tensor[] Values { get; }  // L of (B, Tmax, Hkv, D)

    /// <summary>Some of the rows, as a cache of their own over the same memory and lengths.</summary>
    public KvCache Rows(int first, int count) => new(this, first, count);

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => lengths.Span.Clear();

    /// <summary>Forgets the tokens of every row but the first <paramref name="count"/>, which it holds.</summary>
    internal void Cut(int count) => lengths.Span.Fill(count);

    /// <summary>Makes row <paramref name="to"/> hold what row <paramref name="from"/> holds.</summary>
    public void CopyRow(int from, int to)
    {
        int length = Lengths[from];
        lengths.Span[to] = length;
        foreach (var tensor in Keys.Concat(Values))
        {
            tensor.Storage.Backend.Cast(
                tensor.Slice(0, from, 1).Slice(1, 0, length), tensor.Slice(0, to, 1).Slice(1, 0, length));
        }
    }

    /// <summary>Sends the lengths to the device: where the next tokens are written.</summary>
    internal void Send() => Offsets.Storage.Backend.Write(Offsets, Lengths);

    /// <summary>Counts <paramref name="tokens"/> more in every row.</summary>
    internal void Advance(int tokens)
    {
        foreach (ref int length in lengths.Span)
            length += tokens;
    }
}
