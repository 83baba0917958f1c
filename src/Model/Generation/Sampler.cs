
namespace TinyLlm.Model;

/// <summary>
/// Picks the next token from one row of logits, on the host. In this order: repetition penalty, temperature, top-k,
/// top-p, min-p, one draw. Equal logits count as ordered by id, the smaller first. Nothing is allocated after
/// construction.
/// </summary>
/// <remarks>
/// Draw n of a seed is Philox at counter n: it depends neither on the logits nor on the draws before. Not safe for use
/// by several threads at once.
/// </remarks>
public sealed class Sampler
{
    private const int PartSize = 512;

    private readonly SamplerSettings settings;
    private readonly ulong seed;
    private readonly uint stream;
    private readonly float[] logits; // (V) after the repetition penalty
    private readonly double[] weights; // (V) exp((logit - largest) / temperature), by id or, where sorted, by place
    private readonly ulong[] heap; // (V) sort keys, a binary heap with the largest on top
    private readonly int[] candidates; // (V) ids that may be drawn, the best one first
    private readonly double[] partMasses; // sums of the weights of PartSize tokens each
    private readonly ulong[] penalised; // (V) number of the draw, plus 1, that last penalised this id

    /// <summary>Creates a sampler for rows of <paramref name="vocabulary"/> logits.</summary>
    /// <param name="settings">The filters.</param>
    /// <param name="seed">Seed of the draws.</param>
    /// <param name="vocabulary">Number of logits of a row.</param>
    /// <param name="stream">Keeps the rows of one batch apart: each (seed, stream) draws its own numbers.</param>
    /// <exception cref="TinyLlmException">A setting is out of range.</exception>
    public Sampler(SamplerSettings settings, ulong seed, int vocabulary, uint stream = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        this.settings = settings.Validate();
        this.seed = seed;
        this.stream = stream;
        logits = new float[vocabulary];
        weights = new double[vocabulary];
        heap = new ulong[vocabulary];
        candidates = new int[vocabulary];
        partMasses = new double[(vocabulary + PartSize - 1) / PartSize];
        penalised = new ulong[vocabulary];
    }

    /// <summary>How many tokens were picked so far: the number of the next draw.</summary>
    public ulong Draws { get; private set; }

    /// <summary>Picks a token.</summary>
    /// <param name="row">(V) logits; minus infinity rules a token out.</param>
    /// <param name="history">Ids that the repetition penalty applies to, each once however often it stands
    /// there.</param>
    /// <exception cref="TinyLlmException">A logit is NaN or infinite, or all are minus infinity.</exception>
    /// <exception cref="ArgumentException">The row's length or an id does not fit the vocabulary.</exception>
    public int Next(ReadOnlySpan<float> row, ReadOnlySpan<int> history)
    {
        if (row.Length != logits.Length)
        {
            throw new ArgumentException(
                $"Sampler: the row has {row.Length} logits; the vocabulary has {logits.Length}.", nameof(row));
        }

        ulong draw = Draws++;
        row.CopyTo(logits);
        Penalise(history, draw + 1);
        int best = Largest();
        if (settings.Temperature == 0)
            return best;

        double uniform = Uniform(draw);
        bool sorts = settings.TopP < 1 || (settings.TopK > 0 && settings.TopK < logits.Length);
        return sorts ? DrawFromBest(logits[best], uniform) : DrawFromAll(logits[best], uniform);
    }

    private void Penalise(ReadOnlySpan<int> history, ulong mark)
    {
        float penalty = settings.RepetitionPenalty;
        if (penalty == 1)
            return;

        foreach (int id in history)
        {
            if ((uint)id >= (uint)logits.Length)
            {
                throw new ArgumentException(
                    $"Sampler: id {id} of the history is not in [0, {logits.Length}).", nameof(history));
            }

            if (penalised[id] == mark)
                continue;
            penalised[id] = mark;
            logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
        }
    }

    private int Largest()
    {
        int best = Logits.IndexOfLargest(logits);
        if (best < 0)
        {
            int id = Array.FindIndex(logits, logit => !(logit < float.PositiveInfinity));
            throw new TinyLlmException(
                $"The model gave the logit {logits[id]} for token {id}; expected a finite number. "
                + "Its weights are damaged or its training diverged: use an earlier checkpoint.");
        }

        if (float.IsNegativeInfinity(logits[best]))
        {
            throw new TinyLlmException("All logits are minus infinity; expected at least one token to be possible. "
                + "Use an earlier checkpoint.");
        }

        return best;
    }

    // Neither top-k nor top-p: no order is needed. The part of the vocabulary in which the draw falls is found first,
    // by the parts' sums.
    private int DrawFromAll(float largest, double uniform)
    {
        double mass = 0;
        for (int part = 0; part < partMasses.Length; part++)
        {
            mass += partMasses[part] =
                Weigh(part * PartSize, Math.Min(PartSize, logits.Length - part * PartSize), largest, settings.MinP);
        }

        // Rounding may leave the target at the end of all parts, or of its own: the last token that can be drawn is
        // there.
        double target = uniform * mass, sum = 0;
        int chosen = 0, last = Array.FindLastIndex(partMasses, m => m > 0);
        for (; chosen < last && sum + partMasses[chosen] <= target; chosen++)
            sum += partMasses[chosen];

        int drawn = 0;
        for (int id = chosen * PartSize, end = Math.Min(logits.Length, id + PartSize); id < end && sum <= target; id++)
        {
            if (weights[id] > 0)
                drawn = id;
            sum += weights[id];
        }

        return drawn;
    }

    private int DrawFromBest(float largest, double uniform)
    {
        // Candidates come best first: those of top-k at once, the others from the heap as they are needed.
        bool limited = settings.TopK > 0 && settings.TopK < logits.Length;
        int taken = limited ? TakeLargest(settings.TopK) : 0;
        double total = 0;
        for (int i = 0; i < taken; i++)
            total += Weight(candidates[i], largest); // top-p speaks of probabilities among the k that are left
        int left = limited ? 0 : HeapForTopP(largest, out total);

        // Top-p and min-p both cut the ordered list short: take from the best on until either says stop.
        double needed = settings.TopP < 1 ? settings.TopP * total : double.PositiveInfinity, mass = 0;
        int kept = 0;
        while ((kept < taken || left > 0) && mass < needed)
        {
            if (kept == taken)
                candidates[taken++] = (int)~(uint)Pop(ref left);
            double weight = Weight(candidates[kept], largest);
            if (kept > 0 && (weight == 0 || weight < settings.MinP))
                break;
            weights[kept++] = weight;
            mass += weight;
        }

        double target = uniform * mass, sum = 0;
        for (int i = 0; i < kept - 1; i++)
        {
            sum += weights[i];
            if (sum > target)
                return candidates[i];
        }

        return candidates[kept - 1];
    }

    // Fills candidates with the k largest, best first. The heap holds the best so far by inverted keys: the worst of
    // them is on top.
    private int TakeLargest(int k)
    {
        for (int id = 0; id < k; id++)
            heap[id] = ~Key(id);
        Heapify(k);
        for (int id = k; id < logits.Length; id++)
        {
            // Of equal ones the earlier stays.
            if (!(logits[id] > logits[(int)(uint)heap[0]]))
                continue;
            heap[0] = ~Key(id);
            SiftDown(0, k);
        }

        for (int count = k; count > 0;)
        {
            int id = (int)(uint)Pop(ref count);
            candidates[count] = id;
        }

        return k;
    }

    // A heap of all tokens that top-p can reach, and the weight of all: tokens below (1 - p) / V of it have less than 1
    // - p together, so the others have the p that is needed. A trained model leaves few of them.
    private int HeapForTopP(float largest, out double total)
    {
        total = Weigh(0, logits.Length, largest, least: 0);
        double floor = (1 - (double)settings.TopP) * total / logits.Length;
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
            if (weights[id] >= floor)
                heap[count++] = Key(id);
        Heapify(count);
        return count;
    }

    // The largest logit is subtracted before the division: a tiny temperature then gives 0 and minus infinity, never
    // NaN.
    private double Weight(int id, float largest) => Math.Exp(((double)logits[id] - largest) / settings.Temperature);

    private double Weigh(int first, int count, float largest, double least) =>
        Logits.Weigh(logits.AsSpan(first, count), largest, settings.Temperature, least, weights.AsSpan(first, count));

    // A sort key that grows with the logit and, among equal logits, with a smaller id. Adding 0 turns -0 into 0, which
    // equals it.
    private ulong Key(int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logits[id] + 0f);
        uint ordered = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        return (ulong)ordered << 32 | ~(uint)id;
    }

    private void Heapify(int count)
    {
        for (int node = count / 2 - 1; node >= 0; node--)
            SiftDown(node, count);
    }

    private ulong Pop(ref int count)
    {
        ulong key = heap[0];
        heap[0] = heap[--count];
        SiftDown(0, count);
        return key;
    }

    private void SiftDown(int node, int count)
    {
        ulong value = heap[node];
        for (int child; (child = 2 * node + 1) < count; node = child)
        {
            if (child + 1 < count && heap[child + 1] > heap[child])
                child++;
            if (heap[child] <= value)
                break;
            heap[node] = heap[child];
        }

        heap[node] = value;
    }

    // In [0, 1), with the 53 bits that a double holds.
    private double Uniform(ulong draw)
    {
        // The fourth word keeps this stream apart from others that draw under the same seed.
        uint x0 = (uint)draw, x1 = (uint)(draw >> 32), x2 = stream, x3 = 0x53414D50;
        Philox.Next(ref x0, ref x1, ref x2, ref x3, (uint)seed, (uint)(seed >> 32));
        return (((ulong)x0 << 32 | x1) >> 11) * (1.0 / (1UL << 53));
    }
}
