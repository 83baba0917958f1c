using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>All distinct pre-tokens as rows of tokens, one after the other, with the number of times that each occurs.</summary>
/// <remarks>
/// One 32-bit cell for each byte. A token lies over as many cells as it has bytes: its first holds its id, and its last, where that is another, minus its length. So both neighbours
/// of a token are found without links, and a merge writes three cells. Frequent pre-tokens come first, so that how often a place counts follows from where it is.
/// </remarks>
internal sealed class BpeRows
{
    /// <summary>No neighbour: the row begins or ends here.</summary>
    public const int None = -1;

    private const int Inside = -1, Boundary = int.MinValue; // in a cell that begins no token

    private readonly int[] cells;
    private readonly List<int> lengths = [.. Enumerable.Repeat(1, 256)]; // by token, in bytes
    private readonly List<(int End, long Occurrences)> bands = [];       // neighbouring rows that occur equally often
    private int band;

    /// <summary>Splits every pre-token of two bytes and more into its bytes.</summary>
    /// <exception cref="TinyLlmException">The distinct pre-tokens have more bytes than an array can hold.</exception>
    public BpeRows(IReadOnlyList<PreTokenCounts> parts, CancellationToken stop)
    {
        var order = new List<(long Occurrences, int Part, int Number)>(parts.Sum(part => part.Count));
        long size = 1;
        for (int part = 0; part < parts.Count; part++)
        {
            for (int number = 0; number < parts[part].Count; number++)
            {
                int length = parts[part].Bytes(number).Length;
                if (length < 2)
                    continue;
                order.Add((parts[part].Occurrences(number), part, number));
                size += length + 1;
            }
        }

        if (size > Array.MaxLength)
            throw new TinyLlmException($"The distinct words of the text have {size} bytes; expected at most {Array.MaxLength}; train the tokenizer on a part of the text.");

        stop.ThrowIfCancellationRequested();
        order.Sort((a, b) => b.Occurrences.CompareTo(a.Occurrences));
        stop.ThrowIfCancellationRequested();
        cells = new int[size];
        cells[0] = Boundary;
        int place = 1;
        foreach (var (occurrences, part, number) in order)
        {
            foreach (byte b in parts[part].Bytes(number))
                cells[place++] = b;
            cells[place++] = Boundary;
            if (bands.Count > 0 && bands[^1].Occurrences == occurrences)
                bands[^1] = (place, occurrences);
            else
                bands.Add((place, occurrences));
        }
    }

    /// <summary>Cells in all: places are below it.</summary>
    public int Length => cells.Length;

    /// <summary>The token that begins at a place, negative where none does.</summary>
    public int this[int place] => cells[place];

    /// <summary>Makes the next id known as the name of a pair.</summary>
    public void Define(int left, int right) => lengths.Add(lengths[left] + lengths[right]);

    /// <summary>Whether the pair stands at a place.</summary>
    public bool Stands(int left, int right, int place) => cells[place] == left && cells[place + lengths[left]] == right;

    /// <summary>Puts a token in the place of the pair that stands there.</summary>
    public void Replace(int left, int token, int place)
    {
        int length = lengths[token];
        cells[place + lengths[left]] = Inside;
        cells[place] = token;
        cells[place + length - 1] = -length;
    }

    /// <summary>The place of the token before the one at a place, or <see cref="None"/>.</summary>
    public int Before(int place) => cells[place - 1] switch
    {
        >= 0 => place - 1,
        Boundary => None,
        int minusLength => place + minusLength,
    };

    /// <summary>The place of the token after the one at a place, or <see cref="None"/>.</summary>
    public int After(int place)
    {
        int after = place + lengths[cells[place]];
        return cells[after] == Boundary ? None : after;
    }

    /// <summary>Goes back to the first row, for <see cref="Occurrences"/>.</summary>
    public void Rewind() => band = 0;

    /// <summary>How often the row of a place occurs. Since <see cref="Rewind"/>, places come in rising order.</summary>
    public long Occurrences(int place)
    {
        if (place >= bands[band].End)
        {
            int low = band + 1, high = bands.Count - 1;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (place < bands[middle].End)
                    high = middle;
                else
                    low = middle + 1;
            }

            band = low;
        }

        return bands[band].Occurrences;
    }
}
