using System.Security.Cryptography;

namespace TinyLlm.Data;

/// <summary>A hash of examples, by which a resume knows its data.</summary>
public static class DataHash
{
    /// <summary>SHA-256 in hexadecimal digits.</summary>
    public static string Of(params ReadOnlySpan<IExamples> sets)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var examples in sets)
            examples.AddTo(sha);
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
