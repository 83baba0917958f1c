using TinyLlm.Tests.Support.Ptx;

namespace TinyLlm.Tests.Support;

/// <summary>A (B, T, H, D) tensor of bf16 on the host, or the part of one that some heads or tokens are.</summary>
internal sealed class BFloatHeads
{
    private readonly int batches, tokens, heads, size, allTokens, allHeads;

    private BFloatHeads(
        ushort[] data, int first, int batches, int tokens, int heads, int size, int allTokens, int allHeads)
    {
        (Data, First) = (data, first);
        (this.batches, this.tokens, this.heads, this.size, this.allTokens, this.allHeads) =
            (batches, tokens, heads, size, allTokens, allHeads);
    }

    /// <summary>The whole tensor's elements.</summary>
    public ushort[] Data { get; }

    /// <summary>Place of the part's first element.</summary>
    public int First { get; }

    public int BatchStride => allTokens * TokenStride;

    public int TokenStride => allHeads * size;

    public int HeadStride => size;

    public static BFloatHeads Random(RandomValues random, int batches, int tokens, int heads, int size) =>
        new([.. random.Floats((long)batches * tokens * heads * size).Select(BFloat.Round)], 0, batches, tokens, heads,
            size, tokens, heads);

    /// <summary>A tensor of NaN.</summary>
    public static BFloatHeads Poisoned(int batches, int tokens, int heads, int size) =>
        new([.. Enumerable.Repeat((ushort)0xFFFF, batches * tokens * heads * size)], 0, batches, tokens, heads, size,
            tokens, heads);

    public BFloatHeads Heads(int first, int count) =>
        new(Data, First + first * HeadStride, batches, tokens, count, size, allTokens, allHeads);

    public BFloatHeads Tokens(int first, int count) =>
        new(Data, First + first * TokenStride, batches, count, heads, size, allTokens, allHeads);

    /// <summary>Fills one row's tokens from <paramref name="first"/> on with NaN.</summary>
    public void Poison(int batch, int first)
    {
        for (int token = first; token < tokens; token++)
            for (int head = 0; head < heads; head++)
                Data.AsSpan(Place(batch, token, head), size).Fill(0xFFFF);
    }

    public void Set(double[] values) => ForEach((place, i) => Data[place] = BFloat.Round((float)values[i]));

    /// <summary>The part's elements in row-major order.</summary>
    public float[] Floats()
    {
        var values = new float[batches * tokens * heads * size];
        ForEach((place, i) => values[i] = BFloat.ToFloat(Data[place]));
        return values;
    }

    public double[] Doubles() => [.. Floats().Select(x => (double)x)];

    /// <summary>Whether all elements outside of the part are NaN, as at the beginning.</summary>
    public bool IsPoisonedAround()
    {
        var inside = new bool[Data.Length];
        ForEach((place, _) => inside[place] = true);
        return Data.Select((bits, place) => inside[place] || bits == 0xFFFF).All(whole => whole);
    }

    private int Place(int batch, int token, int head) =>
        First + batch * BatchStride + token * TokenStride + head * HeadStride;

    private void ForEach(Action<int, int> action)
    {
        int i = 0;
        for (int batch = 0; batch < batches; batch++)
            for (int token = 0; token < tokens; token++)
                for (int head = 0; head < heads; head++)
                    for (int d = 0; d < size; d++)
                        action(Place(batch, token, head) + d, i++);
    }
}
