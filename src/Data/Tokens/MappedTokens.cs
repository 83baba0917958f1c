using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// Little-endian token ids of 2 or 4 bytes in a file, from a place on to its end. The file is mapped: what is read lies
/// in the system's page cache, and the process needs no memory for the rest, however large it is.
/// </summary>
internal sealed class MappedTokens : ITokens, IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view; // absent where there is no token: an empty range cannot be mapped
    private readonly int width;
    private readonly byte[] checksum;

    /// <summary>Maps a file whose length has been checked.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">Where the tokens begin, in bytes.</param>
    /// <param name="count">Number of tokens.</param>
    /// <param name="width">Bytes of a token, 2 or 4.</param>
    /// <param name="checksum">What tells its contents from others'.</param>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public MappedTokens(string path, long offset, long count, int width, byte[] checksum)
    {
        (Count, this.width, this.checksum) = (count, width, checksum);
        if (count == 0)
            return;
        try
        {
            file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            view = file.CreateViewAccessor(offset, count * width, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            file?.Dispose();
            throw FileErrors.Reading(path, e);
        }
    }

    public long Count { get; }

    public void Read(long start, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - destination.Length);
        if (destination.Length == 0)
            return;
        ulong place = (ulong)(view!.PointerOffset + start * width);
        if (width == sizeof(int))
            view.SafeMemoryMappedViewHandle.ReadSpan(place, destination);
        else
            Widen(place, destination);
    }

    public void AddTo(IncrementalHash hash)
    {
        hash.AppendData(BitConverter.GetBytes(Count));
        hash.AppendData(checksum);
    }

    public void Dispose()
    {
        view?.Dispose();
        file?.Dispose();
    }

    private void Widen(ulong place, Span<int> destination)
    {
        ushort[] narrow = ArrayPool<ushort>.Shared.Rent(destination.Length);
        var ids = narrow.AsSpan(0, destination.Length);
        view!.SafeMemoryMappedViewHandle.ReadSpan(place, ids);
        for (int i = 0; i < ids.Length; i++)
            destination[i] = ids[i];
        ArrayPool<ushort>.Shared.Return(narrow);
    }
}
