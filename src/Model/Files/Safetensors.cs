using System.Text.Json;

namespace TinyLlm.Model;

/// <summary>
/// The weights-file format: 8 bytes little-endian header length N, N bytes of JSON, then the data. The header maps each
/// tensor's name to <c>{"dtype":"F32","shape":[2,3],"data_offsets":[begin,end]}</c>, offsets counted from the end of
/// the header; the data has neither holes nor overlaps. The name <c>__metadata__</c> holds strings. Numbers are
/// little-endian, as the machines are that .NET runs on.
/// </summary>
/// <remarks>Source: the format's description in the repository huggingface/safetensors.</remarks>
public static class Safetensors
{
    /// <summary>Bytes of the header length.</summary>
    public const int LengthBytes = 8;

    /// <summary>The longest header that the format allows, in bytes.</summary>
    public const int MaxHeaderBytes = 100_000_000;

    /// <summary>The header's name that is no tensor but a map of strings.</summary>
    public const string MetadataName = "__metadata__";

    /// <summary>
    /// Bytes of one element of <paramref name="dtype"/> as the header writes it; 0 for a name that is not known.
    /// </summary>
    public static int ElementBytes(string dtype) => dtype switch
    {
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" => 1,
        "U16" or "I16" or "F16" or "BF16" => 2,
        "U32" or "I32" or "F32" => 4,
        "U64" or "I64" or "F64" => 8,
        _ => 0,
    };

    /// <summary>
    /// Reads and checks a header: JSON, dtypes, shapes, sizes, and that the tensors cover the data exactly. Takes no
    /// more memory than the header has bytes, times a small constant.
    /// </summary>
    /// <param name="path">What messages call the file.</param>
    /// <param name="header">The JSON.</param>
    /// <param name="dataBytes">Bytes that follow the header in the file.</param>
    /// <exception cref="TinyLlmException">The header is damaged; the line names the fault.</exception>
    internal static SafetensorsHeader ParseHeader(string path, ReadOnlySpan<byte> header, long dataBytes)
    {
        try
        {
            return new SafetensorsHeaderParser(path, header).Parse(dataBytes);
        }
        catch (JsonException exception)
        {
            throw SafetensorsHeaderParser.Damaged(path,
                $"the header is {JsonText.Fault(exception)}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // What the JSON reader throws for a string that is no Unicode text.
            throw SafetensorsHeaderParser.Damaged(
                path, "the header has a name or text that is no valid UTF-8", exception);
        }
    }
}

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name, such as "model.embed_tokens.weight".</param>
/// <param name="DType">Its element type as the format writes it: F32, BF16, F16, I64, ...</param>
/// <param name="Shape">Its sizes, row-major; none for a scalar.</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">One past the last byte, counted from the end of the header.</param>
public sealed record SafetensorsTensor(string Name, string DType, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Number of elements: the product of the sizes, 1 for a scalar.</summary>
    public long Count => (End - Begin) / Safetensors.ElementBytes(DType);

    /// <summary>Name, dtype and shape, for example "lm_head.weight F32 (32000, 768)".</summary>
    public override string ToString() => $"{Name} {DType} ({string.Join(", ", Shape)})";
}

/// <summary>What a header says: the tensors in the order of their data, and the metadata.</summary>
internal sealed record SafetensorsHeader(
    IReadOnlyList<SafetensorsTensor> Tensors, IReadOnlyDictionary<string, string> Metadata);
