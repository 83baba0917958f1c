using System.Text;

namespace TinyLlm.Kernels;

/// <summary>
/// Plans memory before step 0: <see cref="Add"/> names and shapes, then <see cref="Allocate"/> once. Nothing is
/// allocated after that, so a run that does not fit says so before it starts.
/// </summary>
public sealed class Arena : IDisposable
{
    // Tensors take multiples of 64 elements: 128 bytes or more, which are two cache lines on x86, one on Apple silicon,
    // and a full transaction on GPUs (8-bit weights 64 or more); and a range of BF16 tensors has its gaps where the F32
    // range of the same shapes has them.
    private const int ElementAlignment = 64;

    private readonly List<(string Name, Shape Shape, DType DType)> entries = [];
    private readonly Storage storage;
    private readonly Arena? memory; // whose memory this is, where it is another's
    private bool allocated;

    /// <summary>
    /// Creates an empty plan; <paramref name="name"/> is what messages call it ("parameters", "activations").
    /// </summary>
    public Arena(Backend backend, string name)
    {
        Backend = backend;
        Name = name;
        storage = backend.CreateStorage();
    }

    /// <summary>
    /// Creates an empty plan over the memory of <paramref name="memory"/>: other shapes in the same place, at another
    /// time.
    /// </summary>
    public Arena(Arena memory)
    {
        (Backend, Name, storage) = (memory.Backend, memory.Name, memory.storage);
        this.memory = memory;
    }

    /// <summary>The backend whose memory is planned.</summary>
    public Backend Backend { get; }

    /// <summary>What messages call this memory.</summary>
    public string Name { get; }

    /// <summary>Bytes planned so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Plans one tensor and returns its view, to be used after <see cref="Allocate"/>.</summary>
    public Tensor Add(string name, Shape shape, DType dtype = DType.F32)
    {
        if (allocated)
            throw new InvalidOperationException($"Arena {Name}: {name} was added after the memory was allocated.");

        if (shape.Count > int.MaxValue)
        {
            throw new TinyLlmException($"{Name}: {name} {shape} has {shape.Count} elements, more than a tensor can "
                + $"have ({int.MaxValue}); a smaller batch, context or model shrinks it.");
        }

        if (!Backend.Supports(dtype))
        {
            throw new TinyLlmException($"{Name}: {name} is {dtype}, which --device {Backend.Name} cannot compute "
                + $"with; use {(dtype == DType.I8 ? "--weights" : "--precision")} fp32.");
        }

        var tensor = new Tensor(storage, Bytes / dtype.Size(), shape, dtype);
        Bytes += (shape.Count + ElementAlignment - 1) / ElementAlignment * ElementAlignment * dtype.Size();
        entries.Add((name, shape, dtype));
        return tensor;
    }

    /// <summary>
    /// Plans two groups of tensors in the same memory, for what is never needed at once: each group is what its
    /// function adds.
    /// </summary>
    public void Overlay(Action one, Action other)
    {
        long start = Bytes;
        one();
        long end = Bytes;
        Bytes = start;
        other();
        Bytes = Math.Max(Bytes, end);
    }

    /// <summary>
    /// All elements from the start of <paramref name="first"/> to the end of <paramref name="last"/> as one row,
    /// alignment gaps (always zero) included: what AdamW and the gradient norm run over in one pass. Both must be
    /// tensors of this arena and of one dtype, as all between them.
    /// </summary>
    public Tensor Range(Tensor first, Tensor last)
    {
        long count = last.Offset + last.Count - first.Offset;
        return new Tensor(storage, first.Offset, checked((int)count), first.DType);
    }

    /// <summary>
    /// Takes the planned memory, zeroed; that of another arena is there already, with whatever lies in it.
    /// </summary>
    /// <exception cref="TinyLlmException">It does not fit.</exception>
    public void Allocate()
    {
        if (memory is not null)
        {
            allocated = true;
            if (Bytes > memory.Bytes)
            {
                throw new InvalidOperationException(
                    $"Arena {Name}: {Bytes} bytes were planned over memory of {memory.Bytes}.");
            }

            return;
        }

        Backend.CheckFits(Bytes, Name, "a smaller batch, context or model shrinks it");
        allocated = true;
        if (Bytes > 0)
            storage.Allocate(Bytes);
    }

    /// <summary>The plan as text, one tensor a line, largest first, with the total.</summary>
    public string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine($"{Name}: {Bytes / 1048576.0:F1} MiB");
        foreach (var (name, shape, dtype) in entries.OrderByDescending(e => e.Shape.Count * e.DType.Size()))
            text.AppendLine($"  {shape.Count * dtype.Size() / 1048576.0,10:F2} MiB  {dtype}{shape}  {name}");
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (memory is null)
            storage.Dispose();
    }
}
