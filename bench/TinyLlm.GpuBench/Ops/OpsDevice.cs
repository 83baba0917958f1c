using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Ops;

/// <summary>A device with what the timing of ops needs on it.</summary>
internal sealed class OpsDevice : IDisposable
{
    private readonly string name;
    private readonly bool quick, direct;

    public OpsDevice(string name, bool quick, bool direct)
    {
        (this.name, this.quick, this.direct) = (name, quick, direct);
        Backend = Backend.Create(name);
        Noise = new Noise(Backend);
        Timer = new StreamTimer(Backend, quick, direct);
    }

    public Backend Backend { get; private set; }

    public Noise Noise { get; private set; }

    public StreamTimer Timer { get; private set; }

    /// <summary>
    /// Opens the device anew: an illegal access spoils a context for all that comes after. What the old one held is
    /// left to it, since returning it would fail too.
    /// </summary>
    public void Reopen()
    {
        Backend = Backend.Create(name);
        Noise = new Noise(Backend);
        Timer = new StreamTimer(Backend, quick, direct);
    }

    public void Dispose()
    {
        Noise.Dispose();
        Backend.Dispose();
    }
}
