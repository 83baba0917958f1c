using System.Runtime.InteropServices;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Remembers the tokens of pre-tokens, for one thread. A pre-token has one place, where it replaces what stood there:
/// the frequent ones come back at once, and the memory stays at 8 MiB whatever the text.
/// </summary>
internal sealed class PreTokenCache
{
    private const int Places = 1 << 16;

    // A place is 128 bytes: length and count, a key of up to 24 characters, up to 19 ids.
    private const int Ints = 32, KeyAt = 1, LongestKey = 24, IdsAt = KeyAt + LongestKey / 2, MostIds = Ints - IdsAt;

    private int[]? table;

    /// <summary>The tokens of a pre-token, if it is remembered.</summary>
    public bool TryGet(ReadOnlySpan<char> preToken, out ReadOnlySpan<int> ids)
    {
        ids = default;
        if (table is null || preToken.Length > LongestKey)
            return false;
        var place = PlaceOf(preToken, table);
        int header = place[0];
        if ((header & 0xFF) != preToken.Length
            || !MemoryMarshal.Cast<int, char>(place.Slice(KeyAt, LongestKey / 2))[..preToken.Length]
                .SequenceEqual(preToken))
            return false;
        ids = place.Slice(IdsAt, header >> 8);
        return true;
    }

    /// <summary>Remembers the tokens of a pre-token, unless it is too long.</summary>
    public void Set(ReadOnlySpan<char> preToken, ReadOnlySpan<int> ids)
    {
        if (preToken.Length > LongestKey || ids.Length > MostIds)
            return;
        var place = PlaceOf(preToken, table ??= new int[Places * Ints]);
        place[0] = ids.Length << 8 | preToken.Length;
        preToken.CopyTo(MemoryMarshal.Cast<int, char>(place.Slice(KeyAt, LongestKey / 2)));
        ids.CopyTo(place[IdsAt..]);
    }

    private static Span<int> PlaceOf(ReadOnlySpan<char> preToken, int[] table)
    {
        ulong hash = (uint)preToken.Length;
        var words = MemoryMarshal.Cast<char, ulong>(preToken);
        foreach (ulong word in words)
            hash = Mix(hash ^ word);
        foreach (char c in preToken[(4 * words.Length)..])
            hash = hash << 16 ^ c;
        return table.AsSpan((int)(Mix(hash) >> 48) * Ints, Ints);
    }

    private static ulong Mix(ulong hash)
    {
        hash *= 0x9E3779B97F4A7C15;
        return hash ^ hash >> 29;
    }
}
