using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Ops as a CUDA graph: the first run is an ordinary one, in which kernels are compiled and scratch memory grows; the
/// second one is recorded; from then on the whole is one launch.
/// </summary>
/// <remarks>
/// The graph holds addresses. Where scratch memory has moved since (another sequence needed more of it), the ops are
/// recorded anew.
/// </remarks>
internal sealed class CudaOpSequence(GpuBackend backend, CudaAccelerator accelerator, nint stream, Action ops)
    : OpSequence(ops)
{
    private nint graph;
    private int runs, scratchVersion;

    public override void Run()
    {
        if (runs++ == 0 || !CudaDriver.IsAvailable)
        {
            base.Run();
            return;
        }

        accelerator.Bind();
        if (graph == 0 || scratchVersion != backend.ScratchVersion)
            Record();
        CudaDriver.LaunchGraph(graph, stream);
    }

    protected override void Dispose(bool disposing)
    {
        Forget();
        base.Dispose(disposing);
    }

    private void Record()
    {
        Forget();
        CudaDriver.BeginCapture(stream);
        try
        {
            base.Run();
        }
        catch
        {
            // A stream that goes on recording would be of no use to anyone.
            CudaDriver.AbandonCapture(stream);
            throw;
        }

        graph = CudaDriver.EndCapture(stream);
        scratchVersion = backend.ScratchVersion;
    }

    private void Forget()
    {
        if (graph == 0)
            return;
        backend.Synchronize();
        accelerator.Bind();
        CudaDriver.DestroyGraph(graph);
        graph = 0;
    }
}
