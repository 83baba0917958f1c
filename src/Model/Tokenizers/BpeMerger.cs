namespace TinyLlm.Model.Tokenizers;

/// <summary>Applies merges to one pre-token of any length n in O(n log n): the earliest learnt first, equal ones from left to right.</summary>
internal sealed class BpeMerger
{
    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> merges = [];

    /// <summary>Takes the merges in the order of their learning: two ids and the id of what they become.</summary>
    public BpeMerger((int Left, int Right, int Id)[] merges)
    {
        foreach (var (left, right, id) in merges)
            this.merges.Add((left, right), (this.merges.Count, id));
    }

    /// <summary>Merges <paramref name="ids"/>, which it overwrites, and returns what remains.</summary>
    public int[] Encode(int[] ids)
    {
        const int Gone = -1;
        int n = ids.Length;
        int[] previous = new int[n], next = new int[n];
        var queue = new PriorityQueue<(int Place, int Id), (int Rank, int Place)>();
        for (int i = 0; i < n; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1;
        }

        for (int i = 0; i + 1 < n; i++)
            Offer(i);

        while (queue.TryDequeue(out var candidate, out _))
        {
            int left = candidate.Place, right = next[left];

            // Outdated: one of the two tokens has been merged into another since.
            if (ids[left] == Gone || right == n || !merges.TryGetValue((ids[left], ids[right]), out var merge) || merge.Id != candidate.Id)
                continue;

            ids[left] = merge.Id;
            ids[right] = Gone;
            next[left] = next[right];
            if (next[left] < n)
            {
                previous[next[left]] = left;
                Offer(left);
            }

            if (previous[left] >= 0)
                Offer(previous[left]);
        }

        return Array.FindAll(ids, id => id != Gone);

        void Offer(int place)
        {
            if (merges.TryGetValue((ids[place], ids[next[place]]), out var merge))
                queue.Enqueue((place, merge.Id), (merge.Rank, place));
        }
    }
}
