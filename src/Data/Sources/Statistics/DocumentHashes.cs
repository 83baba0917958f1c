using System.Runtime.InteropServices;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Finds documents with the same text by 128 bits of their SHA-256: 16 bytes a document, and up to as much again while
/// the lists grow. Several threads may add at once.
/// </summary>
internal sealed class DocumentHashes
{
    // By the first byte, so that no list has to grow, or to be sorted, as a whole.
    private readonly List<UInt128>[] hashes = [.. Enumerable.Range(0, 256).Select(_ => new List<UInt128>())];

    /// <summary>The memory that the hashes take.</summary>
    public long MemoryBytes => hashes.Sum(list => 16L * list.Capacity);

    /// <summary>Adds a document.</summary>
    public void Add(UInt128 hash)
    {
        var list = hashes[(int)(hash >> 120)];
        lock (list)
            list.Add(hash);
    }

    /// <summary>How many documents have the text of one that is counted already.</summary>
    public long CountDuplicates()
    {
        long count = 0;
        foreach (var list in hashes)
        {
            list.Sort();
            var sorted = CollectionsMarshal.AsSpan(list);
            for (int i = 1; i < sorted.Length; i++)
                count += sorted[i] == sorted[i - 1] ? 1 : 0;
        }

        return count;
    }
}
