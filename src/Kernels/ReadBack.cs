namespace TinyLlm.Kernels;

/// <summary>
/// A small result on its way to the host: <see cref="Start"/> takes it at that place in the order of the ops,
/// <see cref="Wait"/> gives it once it has arrived. In between the host may prepare and start what comes next, so that
/// the device never waits for the host to read.
/// </summary>
public class ReadBack : IDisposable
{
    private readonly float[] values;

    internal ReadBack(int count) => values = new float[count];

    /// <summary>Starts the copy of a contiguous F32 tensor of this many elements.</summary>
    public virtual void Start(Tensor source) => source.Storage.Backend.Read(source, values);

    /// <summary>The values of the last <see cref="Start"/>.</summary>
    public virtual ReadOnlySpan<float> Wait() => values;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Returns the memory.</summary>
    protected virtual void Dispose(bool disposing) { }
}
