using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TinyLlm.Model;

/// <summary>
/// Reads a safetensors file tensor by tensor into memory of the caller, so that the file is never in memory beside its
/// copy. All of the header is checked when the file is opened. Safe for use by several threads at once.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    // A span of bytes has at most 2^31 - 1 of them, a span of floats four times as many: larger tensors are read in
    // parts.
    private const int PartElements = 1 << 26;

    private readonly SafeFileHandle file;
    private readonly long dataStart;
    private readonly Dictionary<string, SafetensorsTensor> byName;

    private SafetensorsReader(string path, SafeFileHandle file, long dataStart, SafetensorsHeader header)
    {
        Path = path;
        this.file = file;
        this.dataStart = dataStart;
        Tensors = header.Tensors;
        Metadata = header.Metadata;
        byName = header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The file's path, as given.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order of their data, with all dtypes that the format has.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>The strings of <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="TinyLlmException">There is none.</exception>
    public SafetensorsTensor this[string name] => Find(name)
        ?? throw new TinyLlmException(
            $"{Path}: there is no tensor \"{name}\" among its {Tensors.Count}; expected it by the other files of its "
            + "folder. Use files that were written together.");

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="TinyLlmException">It cannot be read, is damaged, or is no safetensors file.</exception>
    public static SafetensorsReader Open(string path)
    {
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            long length = RandomAccess.GetLength(file);
            Span<byte> prefix = stackalloc byte[Safetensors.LengthBytes];
            if (length < prefix.Length)
            {
                throw SafetensorsHeaderParser.Damaged(
                    path, $"the file has {length} bytes; expected at least {prefix.Length}");
            }

            ReadFully(path, file, prefix, 0);

            // Checked before memory is taken: the length is any number that a stranger wrote.
            ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (headerBytes > Safetensors.MaxHeaderBytes)
            {
                throw SafetensorsHeaderParser.Damaged(path,
                    $"the header is said to have {headerBytes} bytes; expected at most {Safetensors.MaxHeaderBytes}");
            }

            long dataStart = prefix.Length + (long)headerBytes;
            if (dataStart > length)
            {
                throw SafetensorsHeaderParser.Damaged(path,
                    $"the file has {length} bytes; expected at least {dataStart} for its header");
            }

            byte[] header = new byte[(int)headerBytes];
            ReadFully(path, file, header, prefix.Length);
            return new SafetensorsReader(
                path, file, dataStart, Safetensors.ParseHeader(path, header, length - dataStart));
        }
        catch (Exception exception)
        {
            file?.Dispose();
            if (FileErrors.Is(exception) || exception is NotSupportedException)
                throw FileErrors.Reading(path, exception);
            throw;
        }
    }

    /// <summary>Whether tensors of a dtype, as the format writes it, can be read as floats.</summary>
    public static bool IsRead(string dtype) => dtype is "F32" or "BF16" or "F16";

    /// <summary>The tensor of this name, or null.</summary>
    public SafetensorsTensor? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Reads all of a tensor as floats; BF16 and F16 are widened, which is exact.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="TinyLlmException">There is no such tensor, its dtype is not F32, BF16 or F16, or the file
    /// cannot be read.</exception>
    /// <exception cref="ArgumentException">The destination's length is not the tensor's.</exception>
    public void Read(string name, Span<float> destination)
    {
        SafetensorsTensor tensor = this[name];
        if (destination.Length != tensor.Count)
        {
            throw new ArgumentException($"Safetensors: the destination has {destination.Length} elements; {tensor} "
                + $"has {tensor.Count}.", nameof(destination));
        }

        Read(name, 0, destination);
    }

    /// <summary>
    /// Reads a part of a tensor as floats: the elements from <paramref name="start"/> on that fill the destination.
    /// </summary>
    /// <exception cref="TinyLlmException">As <see cref="Read(string, Span{float})"/>.</exception>
    /// <exception cref="ArgumentException">The part is not within the tensor.</exception>
    public void Read(string name, long start, Span<float> destination)
    {
        SafetensorsTensor tensor = this[name];
        if (start < 0 || start > tensor.Count - destination.Length)
        {
            throw new ArgumentException($"Safetensors: elements {start} to {start + destination.Length} are not "
                + $"within {tensor}.", nameof(start));
        }

        if (!IsRead(tensor.DType))
        {
            throw new TinyLlmException($"{Path}: tensor \"{name}\" has the dtype {tensor.DType}; expected F32, BF16 "
                + "or F16. Convert the file to one of these.");
        }

        int elementBytes = Safetensors.ElementBytes(tensor.DType);
        while (destination.Length > 0)
        {
            Span<float> part = destination[..Math.Min(destination.Length, PartElements)];
            ReadPart(tensor.DType, dataStart + tensor.Begin + start * elementBytes, part);
            destination = destination[part.Length..];
            start += part.Length;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    private void ReadPart(string dtype, long offset, Span<float> part)
    {
        if (dtype == "F32")
        {
            ReadFully(Path, file, MemoryMarshal.AsBytes(part), offset);
            return;
        }

        // The 16-bit values go to the upper half of the destination and are widened in place, front to back: element i
        // is written to halves 2i and 2i + 1, and the halves still to be read begin at n + i + 1, which is never below
        // 2i + 2.
        Span<ushort> halves = MemoryMarshal.Cast<float, ushort>(part)[part.Length..];
        ReadFully(Path, file, MemoryMarshal.AsBytes(halves), offset);
        if (dtype == "BF16")
        {
            for (int i = 0; i < part.Length; i++)
                part[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
        }
        else
        {
            for (int i = 0; i < part.Length; i++)
                part[i] = (float)BitConverter.UInt16BitsToHalf(halves[i]);
        }
    }

    private static void ReadFully(string path, SafeFileHandle file, Span<byte> destination, long offset)
    {
        try
        {
            while (destination.Length > 0)
            {
                int read = RandomAccess.Read(file, destination, offset);
                if (read == 0)
                {
                    throw SafetensorsHeaderParser.Damaged(path, $"the file ends at byte {offset}; expected "
                        + $"{destination.Length} more, it was cut while being read");
                }

                destination = destination[read..];
                offset += read;
            }
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }
}
