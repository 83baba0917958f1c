namespace TinyLlm.Data;

/// <summary>Short sequences share rows.</summary>
internal static class Packing
{
    /// <summary>
    /// Best fit, the longest first: each sequence goes to the row in which it leaves the least room. The same for the
    /// same lengths; no more than about 11/9 of the fewest rows that there could be (D. Johnson, "Near-optimal bin
    /// packing algorithms", 1973).
    /// </summary>
    /// <param name="lengths">Lengths of the sequences, each at most <paramref name="room"/>.</param>
    /// <param name="room">Length of a row.</param>
    /// <returns>The sequences of each row, by number.</returns>
    public static IReadOnlyList<int[]> BestFit(IReadOnlyList<int> lengths, int room)
    {
        var rows = new List<List<int>>();
        var rowsByRoom = new Stack<int>[room + 1]; // the rows in which so much is left
        for (int left = 0; left <= room; left++)
            rowsByRoom[left] = new Stack<int>();
        foreach (int sequence in Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]).ThenBy(i => i))
        {
            int left = lengths[sequence];
            while (left < room && rowsByRoom[left].Count == 0)
                left++;
            if (!rowsByRoom[left].TryPop(out int row))
            {
                row = rows.Count;
                rows.Add([]);
            }

            rows[row].Add(sequence);
            rowsByRoom[left - lengths[sequence]].Push(row);
        }

        return [.. rows.Select(row => row.ToArray())];
    }
}
