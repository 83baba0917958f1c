namespace TinyLlm.Kernels;

/// <summary>
/// One block of memory on a backend. Views of it may be made before it is allocated; they are used only after.
/// </summary>
public abstract class Storage : IDisposable
{
    /// <summary>Creates a block, not yet allocated.</summary>
    protected Storage(Backend backend) => Backend = backend;

    /// <summary>The backend whose memory this is.</summary>
    public Backend Backend { get; }

    /// <summary>Size in bytes; zero before <see cref="Allocate"/>.</summary>
    public long Bytes { get; protected set; }

    /// <summary>Takes the memory and fills it with zeros.</summary>
    /// <exception cref="TinyLlmException">The backend has not that much memory.</exception>
    public abstract void Allocate(long bytes);

    /// <summary>Returns the memory. Views of it must not be used any more.</summary>
    public abstract void Dispose();
}
