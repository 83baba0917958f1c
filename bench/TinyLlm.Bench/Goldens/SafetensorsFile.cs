using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// Writes F32 tensors in the safetensors format: the header's length (8 bytes, little-endian), the header in JSON, the
/// data. It shares no code with the product's reader, which is judged by these files.
/// </summary>
internal static class SafetensorsFile
{
    /// <summary>Writes the tensors one after the other, rounded to float32.</summary>
    public static void Write(string path, IEnumerable<(string Name, Tensor Value)> tensors)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using var data = new MemoryStream();
        foreach (var (name, value) in tensors)
        {
            using var rounded = value.detach().to(ScalarType.Float32).contiguous();
            long start = data.Length;
            data.Write(MemoryMarshal.AsBytes<float>(rounded.data<float>().ToArray()));
            header[name] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. value.shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(start, data.Length),
            };
        }

        // Spaces up to a multiple of 8, so that the data is aligned.
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] padded = [.. json, .. Enumerable.Repeat((byte)' ', -json.Length & 7)];
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, padded.Length);
        File.WriteAllBytes(path, [.. length, .. padded, .. data.ToArray()]);
    }
}
