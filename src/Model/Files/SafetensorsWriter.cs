using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Writes a safetensors file that Hugging Face's and PyTorch's readers open. Tensors are announced first and asked for
/// their data one by one while writing, so that memory holds no more than the largest of them. A writer can write any
/// number of times.
/// </summary>
public sealed class SafetensorsWriter
{
    // Bytes per piece that goes to the stream: a span of bytes could not hold the largest tensors.
    private const int PieceElements = 1 << 20;

    private readonly SortedDictionary<string, string> metadata = new(StringComparer.Ordinal) { ["format"] = "pt" };
    private readonly List<(SafetensorsTensor Tensor, Action<Span<float>> Fill)> tensors = [];
    private readonly HashSet<string> names = new(StringComparer.Ordinal) { Safetensors.MetadataName };
    private float[] buffer = [];

    /// <summary>
    /// Creates a writer without tensors; <c>__metadata__</c> has <c>"format": "pt"</c>, which Hugging Face asks for.
    /// </summary>
    /// <param name="metadata">More strings for <c>__metadata__</c>.</param>
    public SafetensorsWriter(IReadOnlyDictionary<string, string>? metadata = null)
    {
        foreach ((string key, string value) in metadata ?? new Dictionary<string, string>())
            this.metadata[key] = value;
    }

    /// <summary>Bytes of data announced so far.</summary>
    public long DataBytes { get; private set; }

    /// <summary>Announces a tensor; the file has them in this order.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="dtype">F32, or BF16: rounded to the nearest, ties to even.</param>
    /// <param name="shape">Its sizes; none for a scalar.</param>
    /// <param name="fill">Fills all of its elements, row-major; called once at each write.</param>
    /// <exception cref="ArgumentException">
    /// The name is taken, a size is negative, there are too many elements for one span, the dtype is I32, or F32
    /// follows an odd number of BF16 elements. </exception>
    public void Add(string name, DType dtype, ReadOnlySpan<int> shape, Action<Span<float>> fill)
    {
        if (!names.Add(name))
            throw new ArgumentException($"Safetensors: the tensor name \"{name}\" is taken.", nameof(name));
        if (dtype is not (DType.F32 or DType.BF16))
            throw new ArgumentException($"Safetensors: {name} is {dtype}; expected F32 or BF16.", nameof(dtype));

        long[] sizes = new long[shape.Length];
        long count = 1;
        for (int i = 0; i < sizes.Length; i++)
        {
            if (shape[i] < 0)
                throw new ArgumentException($"Safetensors: size {shape[i]} of {name} is negative.", nameof(shape));
            sizes[i] = shape[i];
            count *= sizes[i];
            if (count > Array.MaxLength)
            {
                throw new ArgumentException($"Safetensors: {name} has {count} elements or more; expected at most "
                    + $"{Array.MaxLength}.", nameof(shape));
            }
        }

        // PyTorch refuses to view floats at an address that is no multiple of their size.
        if (DataBytes % dtype.Size() != 0)
        {
            throw new ArgumentException($"Safetensors: {name} would begin at byte {DataBytes}, no multiple of "
                + $"{dtype.Size()}; add F32 tensors first.", nameof(dtype));
        }

        long end = DataBytes + count * dtype.Size();
        tensors.Add((new SafetensorsTensor(name, dtype.ToString(), sizes, DataBytes, end), fill));
        DataBytes = end;
    }

    /// <summary>
    /// Writes the file so that an interruption leaves the earlier version good (<see cref="AtomicFile"/>).
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public void Save(string path) => AtomicFile.Write(path, Write);

    /// <summary>Writes the file's bytes to a stream.</summary>
    public void Write(Stream stream)
    {
        stream.Write(Header());
        foreach ((SafetensorsTensor tensor, Action<Span<float>> fill) in tensors)
        {
            int count = (int)tensor.Count;
            if (buffer.Length < count)
                buffer = new float[count];
            Span<float> values = buffer.AsSpan(0, count);
            fill(values);

            while (values.Length > 0)
            {
                Span<float> piece = values[..Math.Min(values.Length, PieceElements)];
                stream.Write(tensor.DType == "F32" ? MemoryMarshal.AsBytes(piece) : ToBf16(piece));
                values = values[piece.Length..];
            }
        }
    }

    // The length, then the JSON, padded with spaces so that the data begins at a multiple of 8 bytes.
    private byte[] Header()
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(
            json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteStartObject(Safetensors.MetadataName);
            foreach ((string key, string value) in metadata)
                writer.WriteString(key, value);
            writer.WriteEndObject();
            foreach ((SafetensorsTensor tensor, _) in tensors)
                WriteTensor(writer, tensor);
            writer.WriteEndObject();
        }

        int length = (json.WrittenCount + 7) / 8 * 8;
        byte[] header = new byte[Safetensors.LengthBytes + length];
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        header.AsSpan(Safetensors.LengthBytes).Fill((byte)' ');
        json.WrittenSpan.CopyTo(header.AsSpan(Safetensors.LengthBytes));
        return header;
    }

    private static void WriteTensor(Utf8JsonWriter writer, SafetensorsTensor tensor)
    {
        writer.WriteStartObject(tensor.Name);
        writer.WriteString("dtype", tensor.DType);
        writer.WriteStartArray("shape");
        foreach (long size in tensor.Shape)
            writer.WriteNumberValue(size);
        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(tensor.Begin);
        writer.WriteNumberValue(tensor.End);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    // Rounds to the nearest, ties to even, in place: half i is written over floats that were read before.
    private static Span<byte> ToBf16(Span<float> values)
    {
        Span<ushort> halves = MemoryMarshal.Cast<float, ushort>(values);
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            halves[i] = float.IsNaN(values[i])
                ? (ushort)(bits >> 16 | 0x40) // stays a NaN even where only lower bits were set
                : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
        }

        return MemoryMarshal.AsBytes(halves[..values.Length]);
    }
}
