using System.Runtime.InteropServices;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// What ILGPU does not offer of NVIDIA's driver: shared memory above 48 KB, launches that allocate nothing, graphs, and
/// marks in a stream. The driver's library is opened when this class is first used, so that a machine without one is
/// none the worse. Calls want the accelerator's context bound to the thread.
/// </summary>
internal static unsafe class CudaDriver
{
    private const int MaxDynamicSharedBytes = 8;           // of a function
    private const int MaxSharedBytesOfGroupOptIn = 97;     // of a device
    private const int CaptureThreadLocal = 1;
    private const uint EventWithoutTiming = 2;

    // Of cuTensorMapEncodeTiled: bf16 elements; lines of 128 bytes swizzled; whole lines of the L2 cache fetched; zeros
    // outside.
    private const int TensorMapBf16 = 9, TensorMapNotInterleaved = 0, TensorMapSwizzle128Bytes = 3,
        TensorMapPromoteTo128Bytes = 2, TensorMapZeros = 0;

    private static readonly nint library = Open();

    private static readonly delegate* unmanaged<int, byte**,
        int> getErrorName = (delegate* unmanaged<int, byte**, int>)Find("cuGetErrorName");

    private static readonly delegate* unmanaged<int*, int, int,
        int> deviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Find("cuDeviceGetAttribute");

    private static readonly delegate* unmanaged<nint, int, int, int> funcSetAttribute =
        (delegate* unmanaged<nint, int, int, int>)Find("cuFuncSetAttribute");

    private static readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**,
        int> launchKernel =
            (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Find(
                "cuLaunchKernel");

    private static readonly delegate* unmanaged<nint, int, int> streamBeginCapture =
        (delegate* unmanaged<nint, int, int>)Find("cuStreamBeginCapture_v2");

    private static readonly delegate* unmanaged<nint, nint*,
        int> streamEndCapture = (delegate* unmanaged<nint, nint*, int>)Find("cuStreamEndCapture");

    private static readonly delegate* unmanaged<nint*, nint, ulong, int> graphInstantiate =
        (delegate* unmanaged<nint*, nint, ulong, int>)Find("cuGraphInstantiateWithFlags");

    private static readonly delegate* unmanaged<nint, nint, int> graphLaunch =
        (delegate* unmanaged<nint, nint, int>)Find("cuGraphLaunch");

    private static readonly delegate* unmanaged<nint, int> graphExecDestroy =
        (delegate* unmanaged<nint, int>)Find("cuGraphExecDestroy");

    private static readonly delegate* unmanaged<nint, int> graphDestroy =
        (delegate* unmanaged<nint, int>)Find("cuGraphDestroy");

    private static readonly delegate* unmanaged<nint*, uint,
        int> eventCreate = (delegate* unmanaged<nint*, uint, int>)Find("cuEventCreate");

    private static readonly delegate* unmanaged<nint, nint, int> eventRecord =
        (delegate* unmanaged<nint, nint, int>)Find("cuEventRecord");

    private static readonly delegate* unmanaged<nint, int> eventSynchronize =
        (delegate* unmanaged<nint, int>)Find("cuEventSynchronize");

    private static readonly delegate* unmanaged<nint, int> eventDestroy =
        (delegate* unmanaged<nint, int>)Find("cuEventDestroy_v2");

    private static readonly delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int,
        int, int> tensorMapEncodeTiled =
            (delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)Find(
                "cuTensorMapEncodeTiled");

    /// <summary>Whether the driver is there, with all that is used of it.</summary>
    public static bool IsAvailable =>
        getErrorName != null && deviceGetAttribute != null && funcSetAttribute != null && launchKernel != null
        && streamBeginCapture != null && streamEndCapture != null &&
        graphInstantiate != null && graphLaunch != null && graphExecDestroy != null && graphDestroy != null &&
        eventCreate != null && eventRecord != null && eventSynchronize != null && eventDestroy != null;

    /// <summary>
    /// The most shared memory that a group can ask for on device number <paramref name="device"/>, in bytes.
    /// </summary>
    public static int MaxSharedBytesOfGroup(int device)
    {
        int bytes;
        Check("cuDeviceGetAttribute", deviceGetAttribute(&bytes, MaxSharedBytesOfGroupOptIn, device));
        return bytes;
    }

    /// <summary>Whether the driver knows descriptions of matrices for the copy engine (CUDA 12.0).</summary>
    public static bool SupportsTensorMaps => tensorMapEncodeTiled != null;

    /// <summary>
    /// Lets <paramref name="function"/> be launched with up to so many bytes of dynamic shared memory.
    /// </summary>
    public static void SetMaxDynamicShared(nint function, int bytes) =>
        Check("cuFuncSetAttribute", funcSetAttribute(function, MaxDynamicSharedBytes, bytes));

    /// <summary>
    /// Launches <paramref name="function"/>; parameter i starts in slot <paramref name="slots"/>[i] of
    /// <paramref name="arguments"/>. Allocates nothing.
    /// </summary>
    public static void Launch(
        nint function, int gridX, int gridY, int groupSize, int dynamicSharedBytes, nint stream,
        ReadOnlySpan<long> arguments, ReadOnlySpan<int> slots)
    {
        void** pointers = stackalloc void*[slots.Length];
        fixed (long* first = arguments)
        {
            for (int i = 0; i < slots.Length; i++)
                pointers[i] = first + slots[i];
            Check("cuLaunchKernel", launchKernel(
                function, (uint)gridX, (uint)gridY, 1, (uint)groupSize, 1, 1, (uint)dynamicSharedBytes, stream,
                pointers, null));
        }
    }

    /// <summary>
    /// From here on, what this thread starts on <paramref name="stream"/> is recorded instead of run.
    /// </summary>
    public static void BeginCapture(nint stream) =>
        Check("cuStreamBeginCapture", streamBeginCapture(stream, CaptureThreadLocal));

    /// <summary>
    /// Ends the recording and makes it ready to be launched; to be given to <see cref="DestroyGraph"/>.
    /// </summary>
    public static nint EndCapture(nint stream)
    {
        nint graph, executable;
        Check("cuStreamEndCapture", streamEndCapture(stream, &graph));
        int result = graphInstantiate(&executable, graph, 0);
        Check("cuGraphDestroy", graphDestroy(graph));
        Check("cuGraphInstantiateWithFlags", result);
        return executable;
    }

    /// <summary>Ends a recording that failed and forgets it.</summary>
    public static void AbandonCapture(nint stream)
    {
        nint graph;
        if (streamEndCapture(stream, &graph) == 0 && graph != 0)
            _ = graphDestroy(graph);
    }

    /// <summary>Runs all that was recorded, as one launch.</summary>
    public static void LaunchGraph(nint graph, nint stream) => Check("cuGraphLaunch", graphLaunch(graph, stream));

    /// <summary>Frees a recording.</summary>
    public static void DestroyGraph(nint graph) => Check("cuGraphExecDestroy", graphExecDestroy(graph));

    /// <summary>
    /// Makes a mark that can be set into a stream and waited for; to be given to <see cref="DestroyEvent"/>.
    /// </summary>
    public static nint CreateEvent()
    {
        nint mark;
        Check("cuEventCreate", eventCreate(&mark, EventWithoutTiming));
        return mark;
    }

    /// <summary>Sets the mark behind all that was started on <paramref name="stream"/> so far.</summary>
    public static void RecordEvent(nint mark, nint stream) => Check("cuEventRecord", eventRecord(mark, stream));

    /// <summary>Waits until the device has come to where the mark was set last.</summary>
    public static void WaitForEvent(nint mark) => Check("cuEventSynchronize", eventSynchronize(mark));

    /// <summary>Frees a mark.</summary>
    public static void DestroyEvent(nint mark) => Check("cuEventDestroy", eventDestroy(mark));

    /// <summary>The driver's descriptions of matrices.</summary>
    public static ITensorMaps TensorMaps { get; } = new Descriptions();

    private static void Check(string call, int result)
    {
        if (result == 0)
            return;
        byte* name;
        string? error = getErrorName(result, &name) == 0 ? Marshal.PtrToStringUTF8((nint)name) : null;
        throw new TinyLlmException($"NVIDIA's driver: {call} gave {error ?? "an unknown error"} ({result}).");
    }

    private static nint Open() =>
        NativeLibrary.TryLoad(GpuDriver.CudaLibrary, out nint handle) ? handle : 0;

    private static nint Find(string function) =>
        library != 0 && NativeLibrary.TryGetExport(library, function, out nint address) ? address : 0;

    private sealed class Descriptions : ITensorMaps
    {
        private const int MapBytes = 8 * TensorMap.Slots, MapAlignment = 64;

        public void Describe(Span<long> map, long matrix, int rows, int columns)
        {
            byte* memory = stackalloc byte[MapBytes + MapAlignment];
            var aligned = (void*)(((nint)memory + MapAlignment - 1) & -MapAlignment);
            ulong* sizes = stackalloc ulong[] { (ulong)columns, (ulong)rows };
            ulong rowBytes = 2 * (ulong)columns;
            uint* box = stackalloc uint[] { TensorMap.Box, TensorMap.Box };
            uint* steps = stackalloc uint[] { 1, 1 };
            Check("cuTensorMapEncodeTiled", tensorMapEncodeTiled(
                aligned, TensorMapBf16, 2, (ulong)matrix, sizes, &rowBytes, box, steps,
                TensorMapNotInterleaved, TensorMapSwizzle128Bytes, TensorMapPromoteTo128Bytes, TensorMapZeros));
            new ReadOnlySpan<long>(aligned, TensorMap.Slots).CopyTo(map);
        }
    }
}
