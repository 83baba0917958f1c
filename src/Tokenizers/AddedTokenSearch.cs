using System.Buffers;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Finds names that are spelt out in a text, in bytes or in UTF-16 units: the leftmost, of several at one place the
/// longest, as Hugging Face does. Time does not grow with the number of names.
/// </summary>
internal sealed class AddedTokenSearch<T>
    where T : unmanaged, IEquatable<T>
{
    private const int None = -1;

    private readonly SearchValues<T> first;
    private readonly Dictionary<(int Node, T Unit), int> children = []; // a tree of the names; node 0 is its root
    private readonly List<int> ids = [None];                            // by node: the token whose name ends there

    /// <summary>Takes distinct names that are not empty.</summary>
    /// <param name="names">The names.</param>
    /// <param name="valuesOf">Makes the search for what names begin with.</param>
    public AddedTokenSearch(IEnumerable<(T[] Name, int Id)> names, Func<T[], SearchValues<T>> valuesOf)
    {
        foreach (var (name, id) in names)
        {
            int node = 0;
            foreach (T unit in name)
            {
                if (!children.TryGetValue((node, unit), out int child))
                {
                    children.Add((node, unit), child = ids.Count);
                    ids.Add(None);
                }

                node = child;
            }

            ids[node] = id;
        }

        first = valuesOf([.. children.Keys.Where(key => key.Node == 0).Select(key => key.Unit)]);
    }

    /// <summary>Finds the first name at or after <paramref name="from"/>.</summary>
    /// <param name="text">Where to look.</param>
    /// <param name="from">The first place to look at.</param>
    /// <param name="place">Where the name begins.</param>
    /// <param name="length">Its length.</param>
    /// <param name="id">Its token.</param>
    /// <returns>Whether there is one.</returns>
    public bool Find(ReadOnlySpan<T> text, int from, out int place, out int length, out int id)
    {
        for (place = from; place < text.Length; place++)
        {
            int next = text[place..].IndexOfAny(first);
            if (next < 0)
                break;
            place += next;
            if (LongestAt(text[place..], out length, out id))
                return true;
        }

        (place, length, id) = (text.Length, 0, None);
        return false;
    }

    private bool LongestAt(ReadOnlySpan<T> text, out int length, out int id)
    {
        (length, id) = (0, None);
        int node = 0;
        for (int i = 0; i < text.Length && children.TryGetValue((node, text[i]), out node); i++)
        {
            if (ids[node] != None)
                (length, id) = (i + 1, ids[node]);
        }

        return id != None;
    }
}
