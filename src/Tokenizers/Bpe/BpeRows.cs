using System.Runtime.InteropServices;

namespace TinyLlm.Tokenizers;

/// <summary>
/// All distinct pre-tokens as rows of tokens, one after the other, with the number of times that each occurs.
/// </summary>
/// <remarks>
/// One 32-bit cell for each byte. A token lies over as many cells as it has bytes: its first holds its id, and its
/// last, where that is another, minus its length. So both neighbours of a token are found without links, and a merge
/// writes three cells. Frequent pre-tokens come first, so that how often a place counts follows from where it is.
/// </remarks>
internal sealed class BpeRows
{
    /// <summary>No neighbour: the row begins or ends here.</summary>
    public const int None = -1;

    private const int Inside = -1, Boundary = int.MinValue; // in a cell that begins no token

    private readonly int[] cells;
    private readonly List<int> lengths = [.. Enumerable.Repeat(1, 256)]; // by token, in bytes
    private readonly (int End, long Occurrences)[] bands;                // neighbouring rows that occur equally often
    private int band;

    /// <summary>Splits every pre-token of two bytes and more into its bytes.</summary>
    /// <exception cref="TinyLlmException">The distinct pre-tokens have more bytes than an array can hold.</exception>
    public BpeRows(IReadOnlyList<PreTokenCounts> parts, CancellationToken stop)
    {
        var sizes = new Dictionary<long, long>(); // cells of the rows that occur so often
        foreach (var part in parts)
        {
            stop.ThrowIfCancellationRequested();
            for (int number = 0; number < part.Count; number++)
            {
                int length = part.Bytes(number).Length;
                if (length >= 2)
                    CollectionsMarshal.GetValueRefOrAddDefault(sizes, part.Occurrences(number), out _) += length + 1;
            }
        }

        long size = 1 + sizes.Values.Sum();
        if (size > Array.MaxLength)
        {
            throw new TinyLlmException($"The distinct words of the text have {size} bytes; expected at most "
                + $"{Array.MaxLength}; train the tokenizer on a part of the text.");
        }

        cells = new int[size];
        cells[0] = Boundary;
        bands = new (int End, long Occurrences)[sizes.Count];
        var free = new Dictionary<long, int>(); // where the next row that occurs so often goes
        int end = 1;
        foreach (var (occurrences, cellCount) in sizes.OrderByDescending(item => item.Key))
        {
            int start = end;
            end += (int)cellCount;
            bands[free.Count] = (end, occurrences);
            free.Add(occurrences, start);
        }

        foreach (var part in parts)
        {
            stop.ThrowIfCancellationRequested();
            for (int number = 0; number < part.Count; number++)
            {
                var bytes = part.Bytes(number);
                if (bytes.Length >= 2)
                    Write(bytes, ref CollectionsMarshal.GetValueRefOrNullRef(free, part.Occurrences(number)));
            }
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
            int low = band + 1, high = bands.Length - 1;
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

    private void Write(ReadOnlySpan<byte> bytes, ref int place)
    {
        foreach (byte b in bytes)
            cells[place++] = b;
        cells[place++] = Boundary;
    }
}
