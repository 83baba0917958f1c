namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// A library that encodes, with the same vocabulary as all others. What it remembers of one slice it has for the next,
/// as when a long text is tokenized.
/// </summary>
internal interface IEncoder : IDisposable
{
    string Name { get; }

    Encoded Encode(Slice slice);
}

/// <summary>What an encoder made of a slice of text.</summary>
/// <param name="Seconds">From text in memory to ids in memory.</param>
/// <param name="Tokens">Number of ids.</param>
/// <param name="Hash">FNV-1a over all ids in their order, 32 bits each.</param>
internal sealed record Encoded(double Seconds, long Tokens, uint Hash)
{
    public static Encoded Of(double seconds, IEnumerable<IReadOnlyList<int>> ids)
    {
        long tokens = 0;
        uint hash = 0x811C9DC5;
        foreach (var piece in ids)
        {
            tokens += piece.Count;
            foreach (int id in piece)
                hash = (hash ^ (uint)id) * 0x01000193;
        }

        return new Encoded(seconds, tokens, hash);
    }
}
