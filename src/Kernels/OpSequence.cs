namespace TinyLlm.Kernels;

/// <summary>
/// A fixed sequence of ops that runs again and again: a step of training. Where the device can (CUDA), the launches are
/// recorded once and handed over as a whole after, which takes as long as one launch; small models would wait for the
/// host otherwise.
/// </summary>
/// <remarks>
/// The ops must be the same, on the same tensors, each time, and neither copy from the host nor to it: what changes
/// from step to step lies in tensors that are written before, such as <see cref="StepState"/>.
/// </remarks>
public class OpSequence : IDisposable
{
    private readonly Action ops;

    internal OpSequence(Action ops) => this.ops = ops;

    /// <summary>Runs the ops, in order with those before and after.</summary>
    public virtual void Run() => ops();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Returns what the recording holds.</summary>
    protected virtual void Dispose(bool disposing) { }
}
