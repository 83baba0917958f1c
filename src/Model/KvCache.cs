using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>Keys and values of the tokens so far, for decoding: each step computes only the new ones. Rows may differ in length.</summary>
public sealed class KvCache
{
    private readonly int[] lengths;

    /// <summary>Plans a cache for <paramref name="b"/> rows of up to the model's context in <paramref name="arena"/>.</summary>
    public KvCache(Arena arena, GptConfig config, int b)
    {
        Capacity = config.Context;
        lengths = new int[b];
        Offsets = arena.Add("cache.offsets", b, DType.I32);
        Keys = new Tensor[config.Layers];
        Values = new Tensor[config.Layers];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            Keys[layer] = arena.Add($"cache.{layer}.keys", (b, config.Context, config.KvHeads, config.HeadSize), config.ComputeType);
            Values[layer] = arena.Add($"cache.{layer}.values", (b, config.Context, config.KvHeads, config.HeadSize), config.ComputeType);
        }
    }

    /// <summary>Tokens that a row can hold.</summary>
    public int Capacity { get; }

    /// <summary>Tokens that each row holds.</summary>
    public ReadOnlySpan<int> Lengths => lengths;

    internal Tensor Offsets { get; }   // (B) I32: the lengths, on the device
    internal Tensor[] Keys { get; }    // L of (B, Tmax, Hkv, D)
    internal Tensor[] Values { get; }  // L of (B, Tmax, Hkv, D)

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Array.Clear(lengths);

    /// <summary>Sends the lengths to the device: where the next tokens are written.</summary>
    internal void Send() => Offsets.Storage.Backend.Write(Offsets, lengths);

    /// <summary>Counts <paramref name="tokens"/> more in row <paramref name="row"/>.</summary>
    internal void Advance(int row, int tokens) => lengths[row] += tokens;
}
