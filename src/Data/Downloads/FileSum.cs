using System.Security.Cryptography;

namespace TinyLlm.Data.Downloads;

/// <summary>SHA-256 of a file, in lower-case hexadecimal digits.</summary>
internal static class FileSum
{
    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="path">Their file, for messages.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public static async Task<string> OfAsync(Stream stream, string path, CancellationToken stop)
    {
        try
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, stop));
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }
}
