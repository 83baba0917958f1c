using System.Security.Cryptography;

namespace TinyLlm.Data.Tokens;

/// <summary>Pieces of streams, read as one after another.</summary>
public sealed class TokenParts : ITokens
{
    private readonly (ITokens Tokens, long First)[] parts; // where each begins in its own stream
    private readonly long[] ends;                          // where each ends in this one

    /// <summary>Joins pieces: tokens <c>First</c> to <c>First + Count - 1</c> of each stream.</summary>
    public TokenParts(IReadOnlyList<(ITokens Tokens, long First, long Count)> pieces)
    {
        parts = [.. pieces.Select(p => (p.Tokens, p.First))];
        ends = new long[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            ends[i] = (i > 0 ? ends[i - 1] : 0) + pieces[i].Count;
    }

    /// <summary>Joins whole streams.</summary>
    public TokenParts(IReadOnlyList<ITokens> streams)
        : this([.. streams.Select(s => (s, 0L, s.Count))])
    {
    }

    /// <inheritdoc/>
    public long Count => ends.Length > 0 ? ends[^1] : 0;

    /// <inheritdoc/>
    public void Read(long start, Span<int> destination)
    {
        int part = Array.BinarySearch(ends, start);
        part = part < 0 ? ~part : part + 1; // the first that ends behind the start
        while (destination.Length > 0)
        {
            int count = (int)Math.Min(destination.Length, ends[part] - start);
            long begin = part > 0 ? ends[part - 1] : 0;
            parts[part].Tokens.Read(parts[part].First + (start - begin), destination[..count]);
            destination = destination[count..];
            start += count;
            part++;
        }
    }

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash)
    {
        for (int i = 0; i < parts.Length; i++)
        {
            hash.AppendData(BitConverter.GetBytes(parts[i].First));
            hash.AppendData(BitConverter.GetBytes(ends[i]));
            parts[i].Tokens.AddTo(hash);
        }
    }
}
