namespace TinyLlm.Tokenizers;

/// <summary>
/// Pieces of text for several workers, copied into the workers' own buffers: at least <paramref name="batchBytes"/>
/// bytes at a time, so that small pieces cost no more than large ones, and in rounds of a fixed number of such batches.
/// Where batches and rounds begin depends on the pieces alone.
/// </summary>
internal sealed class PieceBatches(IEnumerator<ReadOnlyMemory<byte>> pieces, int batchBytes)
{
    /// <summary>
    /// Large enough that handing a batch out costs nothing, small enough that the words of one stay in a worker's
    /// cache.
    /// </summary>
    public const int DefaultBatchBytes = 1 << 20;

    private const int BatchesInRound = 64;

    private readonly Lock turn = new();
    private int batchesLeft;

    /// <summary>Whether all pieces were given out.</summary>
    public bool AtEnd { get; private set; }

    /// <summary>Lets the workers have the batches of one more round.</summary>
    public void StartRound() => batchesLeft = BatchesInRound;

    /// <summary>
    /// Fills a worker's buffer; false at the end of the round. One worker at a time goes on in the source.
    /// </summary>
    public bool Take(PieceBatch batch)
    {
        lock (turn)
        {
            batch.Clear();
            if (AtEnd || batchesLeft == 0)
                return false;

            batchesLeft--;
            while (batch.Length < batchBytes)
            {
                AtEnd = true; // where the source fails, too: nobody goes on after an error
                if (!pieces.MoveNext())
                    break;
                AtEnd = false;
                batch.Add(pieces.Current.Span);
            }

            return true;
        }
    }
}

/// <summary>Pieces of text one after the other in one buffer.</summary>
internal sealed class PieceBatch
{
    private readonly List<int> ends = [];
    private byte[] buffer = [];

    /// <summary>Bytes of all pieces.</summary>
    public int Length { get; private set; }

    /// <summary>The number of pieces.</summary>
    public int Count => ends.Count;

    /// <summary>One of the pieces.</summary>
    public ReadOnlySpan<byte> this[int piece] => buffer.AsSpan((piece == 0 ? 0 : ends[piece - 1])..ends[piece]);

    /// <summary>Adds a copy of a piece.</summary>
    public void Add(ReadOnlySpan<byte> piece)
    {
        int end = checked(Length + piece.Length);
        if (end > buffer.Length)
            Array.Resize(ref buffer, (int)Math.Min(Array.MaxLength, Math.Max(end, 2L * buffer.Length)));
        piece.CopyTo(buffer.AsSpan(Length));
        ends.Add(Length = end);
    }

    /// <summary>Takes all pieces out.</summary>
    public void Clear()
    {
        ends.Clear();
        Length = 0;
    }
}
