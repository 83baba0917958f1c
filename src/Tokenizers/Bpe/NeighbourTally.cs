namespace TinyLlm.Tokenizers;

/// <summary>
/// Sums over the neighbours on one side of the places of a merge: how often each neighbouring token occurs there. By
/// token id, so that a place costs an addition; the pairs are looked up once for each neighbour afterwards.
/// </summary>
internal sealed class NeighbourTally
{
    private readonly List<int> tokens = [];
    private readonly List<(int Token, int Place)> places = [];
    private long[] occurrences = [];
    private int[] placeCounts = [];
    private int[]?[] placesByToken = [];

    /// <summary>The neighbours, each once.</summary>
    public IReadOnlyList<int> Tokens => tokens;

    /// <summary>How often a neighbour occurs.</summary>
    public long Occurrences(int token) => occurrences[token];

    /// <summary>Forgets what was summed, and makes room for token ids below <paramref name="vocabulary"/>.</summary>
    public void Start(int vocabulary)
    {
        foreach (int token in tokens)
        {
            occurrences[token] = 0;
            placeCounts[token] = 0;
            placesByToken[token] = null;
        }

        tokens.Clear();
        places.Clear();
        if (vocabulary > occurrences.Length)
        {
            int size = Math.Max(vocabulary, 2 * occurrences.Length);
            Array.Resize(ref occurrences, size);
            Array.Resize(ref placeCounts, size);
            Array.Resize(ref placesByToken, size);
        }
    }

    /// <summary>Adds a place of a neighbour.</summary>
    public void Add(int token, long times)
    {
        if (placeCounts[token]++ == 0)
            tokens.Add(token);
        occurrences[token] += times;
    }

    /// <summary>Adds a place of a neighbour, and remembers it.</summary>
    public void Add(int token, long times, int place)
    {
        Add(token, times);
        places.Add((token, place));
    }

    /// <summary>Takes the sum of a place away again; the place itself stays.</summary>
    public void Subtract(int token, long times) => occurrences[token] -= times;

    /// <summary>
    /// The remembered places, in the order of their adding, of each neighbour that occurs at least
    /// <paramref name="minimum"/> times.
    /// </summary>
    public IEnumerable<(int Token, int[] Places)> PlacesOfFrequent(long minimum)
    {
        foreach (int token in tokens)
        {
            placesByToken[token] = occurrences[token] >= minimum ? new int[placeCounts[token]] : null;
            placeCounts[token] = 0; // from here on: how many are filled in
        }

        foreach (var (token, place) in places)
        {
            if (placesByToken[token] is { } filled)
                filled[placeCounts[token]++] = place;
        }

        foreach (int token in tokens)
        {
            if (placesByToken[token] is { } filled)
                yield return (token, filled);
        }
    }
}
