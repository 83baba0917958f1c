using System.Globalization;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>
/// What a run needs of its device's memory, counted before any of it is taken: how many rows can go through the model
/// at once, and, where not even the fewest fit, why not.
/// </summary>
internal sealed class MemoryPlan
{
    // A sixteenth of what is free stays free: for the ops' scratch memory, which grows during the first step, and for
    // what allocators round up.
    private const int ReservedShare = 16;

    private readonly Gpt model;
    private readonly TrainerSettings settings;
    private readonly int length;
    private readonly bool packed;
    private readonly int together;
    private readonly long gradients, optimizer, available;

    /// <summary>Looks at what is free.</summary>
    /// <param name="model">The model, whose weights have their memory.</param>
    /// <param name="settings">How to train.</param>
    /// <param name="examples">What it learns from, for the length of a row.</param>
    /// <param name="gradients">Bytes of the gradients.</param>
    /// <param name="optimizer">Bytes of the optimiser's state and whatever else does not depend on the rows.</param>
    public MemoryPlan(Gpt model, TrainerSettings settings, IExamples examples, long gradients, long optimizer)
    {
        (this.model, this.settings, this.gradients, this.optimizer) = (model, settings, gradients, optimizer);
        (length, packed, together) = (examples.Length, examples.IsPacked, examples.Together);
        available = model.Backend.AvailableBytes;
    }

    private long Reserved => available / ReservedShare;

    // Ids and targets of a step's rows, and the starts of packed ones, are on the host, whose memory is the device's on
    // the CPU.
    private double TokenIds => (packed ? 3.0 : 2.0) * sizeof(int) * settings.Accumulate * settings.BatchSize * length;

    /// <summary>
    /// Rows that go through the model at once: those that the settings name, or the largest divisor of the batch that
    /// fits.
    /// </summary>
    /// <exception cref="TinyLlmException">They do not fit, or not even one row does; the line says what is needed and
    /// what would shrink it.</exception>
    public int ChooseMicroBatch()
    {
        int wanted = settings.MicroBatch;
        if (wanted > 0 && Fits(wanted))
            return wanted;
        if (wanted > 0 && !settings.MicroBatchMayChange)
            throw DoesNotFit(wanted);

        int most = Activations.MaxRows(model.Config, length);
        int largest = TrainerSettings.Divisors(settings.BatchSize)
            .FirstOrDefault(rows => rows <= most && rows % together == 0 && Fits(rows));
        return largest > 0 ? largest : throw DoesNotFit(1);
    }

    /// <summary>Takes the memory.</summary>
    /// <exception cref="TinyLlmException">The device refused it although it should have fitted; the line is that of a
    /// run that does not fit.</exception>
    public void Allocate(Arena arena, int microBatch)
    {
        try
        {
            arena.Allocate();
        }
        catch (TinyLlmException refusal)
        {
            throw DoesNotFit(microBatch, refusal);
        }
    }

    private bool Fits(int rows) =>
        gradients + optimizer + ActivationBytes(rows, settings.Recompute) + TokenIds <= available - Reserved;

    private long ActivationBytes(int rows, bool recompute)
    {
        using var arena = new Arena(model.Backend, "activations");
        _ = new Activations(arena, model.Config, rows, length, training: true, recompute, packed);
        return arena.Bytes;
    }

    private TinyLlmException DoesNotFit(int rows, TinyLlmException? refusal = null)
    {
        long activations = ActivationBytes(rows, settings.Recompute), fixedBytes = model.Bytes + gradients + optimizer;
        string needed = $"The run needs {MiB(fixedBytes + activations + TokenIds)} MiB: weights {MiB(model.Bytes)}, "
            + $"gradients {MiB(gradients)}, " +
            $"optimiser state {MiB(optimizer)}, activations {MiB(activations)} with --micro-batch {rows}, token ids "
            + $"{MiB(TokenIds)}";
        string free = refusal is null
            ? $"{MiB(available + model.Bytes)} MiB are free, of which {MiB(Reserved)} are left for scratch memory"
            : $"{MiB(available + model.Bytes)} MiB seem free, but the device refused them";

        long recomputed = ActivationBytes(rows, recompute: true);
        string recompute = recomputed < activations
            ? $"With --recompute it needs {MiB(fixedBytes + recomputed + TokenIds)} MiB; a" : "A";
        string ids = TokenIds > activations ? "--batch-size, --accumulate, " : "", micro = rows > 1 ? "--micro-batch, "
            : "";
        return new TinyLlmException(
            $"{needed}. {free}. {recompute} smaller {ids}{micro}--context, --width or --layers shrinks it.", refusal);
    }

    private static string MiB(double bytes) => (bytes / 1048576).ToString("F1", CultureInfo.InvariantCulture);
}
