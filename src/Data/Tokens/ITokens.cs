using System.Security.Cryptography;

namespace TinyLlm.Data.Tokens;

/// <summary>A stream of token ids, wherever it lies: in memory, or on a disk in files that are mapped.</summary>
public interface ITokens
{
    /// <summary>Number of tokens.</summary>
    long Count { get; }

    /// <summary>
    /// Copies the tokens from <paramref name="start"/> on, which must all be there. For several threads at once.
    /// </summary>
    void Read(long start, Span<int> destination);

    /// <summary>
    /// Adds to a hash what tells this stream from others, without reading it where a checksum is known.
    /// </summary>
    void AddTo(IncrementalHash hash);
}
