using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TinyLlm.Data.Tokens;

/// <summary>Tokens in memory.</summary>
public sealed class TokenArray(ReadOnlyMemory<int> tokens) : ITokens
{
    /// <inheritdoc/>
    public long Count => tokens.Length;

    /// <inheritdoc/>
    public void Read(long start, Span<int> destination) =>
        tokens.Span.Slice(checked((int)start), destination.Length).CopyTo(destination);

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash) => hash.AppendData(MemoryMarshal.AsBytes(tokens.Span));
}
