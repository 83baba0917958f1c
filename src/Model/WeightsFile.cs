using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// A model's weights as safetensors under Hugging Face's names: stacked parameters are cut into row slices, GPT-2's linear weights are
/// transposed, padding rows are left out.
/// </summary>
public static class WeightsFile
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string Name = "model.safetensors";

    // What other tools' files hold besides weights: causal masks, RoPE frequencies.
    private static readonly string[] Buffers = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"];

    /// <summary>Writes the weights as F32, or, for sharing, as BF16; atomically.</summary>
    /// <exception cref="TinyLlmException">The file system refused; the earlier file is kept.</exception>
    public static void Save(string path, Gpt model, DType dtype = DType.F32)
    {
        var writer = new SafetensorsWriter();
        float[] values = [];
        Parameter? loaded = null;
        foreach (var parameter in model.Parameters.All)
        {
            foreach (var part in parameter.Parts)
            {
                writer.Add(part.Name, dtype, FileShape(parameter, part), destination =>
                {
                    // The parts of a parameter come one after another: it is read from the device once.
                    if (loaded != parameter)
                    {
                        values = new float[parameter.Shape.Count];
                        model.Backend.Read(parameter.Value, values);
                        loaded = parameter;
                    }

                    ToFile(parameter, part, values, destination);
                });
            }
        }

        writer.Save(path);
    }

    /// <summary>Reads the weights into a model whose shapes they must have, from one file or several with an index; F32, BF16 and F16 are accepted.</summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or not of this model; the message names the tensor.</exception>
    public static void Load(string path, Gpt model)
    {
        using var reader = SafetensorsSet.Open(path);
        var unknown = reader.Tensors.Select(t => t.Name).Where(name => !Buffers.Any(name.EndsWith)).ToHashSet();
        foreach (var parameter in model.Parameters.All)
        {
            foreach (var part in parameter.Parts)
            {
                string name = Find(reader, part.Name)
                    ?? throw new TinyLlmException($"{path}: the tensor {part.Name} is missing; the file does not belong to this config.json.");
                CheckShape(path, reader[name], FileShape(parameter, part));
                unknown.Remove(name);
            }
        }

        // A tied head is often written out once more.
        if (model.Config.TiedHead)
            unknown.Remove("lm_head.weight");
        if (unknown.Count > 0)
            throw new TinyLlmException($"{path}: the tensor {unknown.Order().First()} has no place in this model; the file does not belong to this config.json.");

        float[] matrix = [];
        foreach (var parameter in model.Parameters.All)
        {
            model.Write(parameter, values =>
            {
                foreach (var part in parameter.Parts)
                    FromFile(reader, Find(reader, part.Name)!, parameter, part, values, ref matrix);
                values[(int)parameter.RealCount..].Clear();
            });
        }

        model.UpdateWorking();
    }

    // GPT-2's own files leave the "transformer." out.
    private static string? Find(SafetensorsSet reader, string name)
    {
        if (reader.Find(name) is not null)
            return name;
        string shorter = name.StartsWith("transformer.", StringComparison.Ordinal) ? name["transformer.".Length..] : name;
        return reader.Find(shorter) is not null ? shorter : null;
    }

    private static void CheckShape(string path, SafetensorsTensor tensor, int[] expected)
    {
        if (!tensor.Shape.SequenceEqual(expected.Select(n => (long)n)))
        {
            throw new TinyLlmException($"{path}: {tensor.Name} is ({string.Join(", ", tensor.Shape)}); config.json asks for ({string.Join(", ", expected)}). " +
                "The two files do not belong together.");
        }
    }

    private static int Columns(Parameter parameter) => (int)(parameter.Shape.Count / parameter.Shape[0]);

    private static int[] FileShape(Parameter parameter, FilePart part)
    {
        if (parameter.Shape.Rank == 1)
            return [part.Rows];
        return part.Transposed ? [parameter.Shape[1], part.Rows] : [part.Rows, parameter.Shape[1]];
    }

    private static void ToFile(Parameter parameter, FilePart part, ReadOnlySpan<float> memory, Span<float> file)
    {
        int columns = Columns(parameter);
        var rows = memory.Slice(part.FirstRow * columns, part.Rows * columns);
        if (part.Transposed)
            Transpose(rows, part.Rows, columns, file);
        else
            rows.CopyTo(file);
    }

    // A tensor of the file goes where its rows are in memory; one that is transposed goes there by way of a matrix that serves all of them.
    private static void FromFile(SafetensorsSet reader, string name, Parameter parameter, FilePart part, Span<float> memory, ref float[] matrix)
    {
        int columns = Columns(parameter);
        var rows = memory.Slice(part.FirstRow * columns, part.Rows * columns);
        if (!part.Transposed)
        {
            reader.Read(name, rows);
            return;
        }

        if (matrix.Length < rows.Length)
            matrix = new float[rows.Length];
        reader.Read(name, matrix.AsSpan(0, rows.Length));
        Transpose(matrix, columns, part.Rows, rows);
    }

    // A strip of rows at a time: few enough that all of them stay in the cache while each is read column by column.
    private static void Transpose(ReadOnlySpan<float> source, int rows, int columns, Span<float> destination)
    {
        const int Strip = 8;
        for (int top = 0; top < rows; top += Strip)
        {
            int height = Math.Min(Strip, rows - top);
            for (int j = 0; j < columns; j++)
            {
                var piece = destination.Slice(j * rows + top, height);
                for (int i = 0; i < piece.Length; i++)
                    piece[i] = source[(top + i) * columns + j];
            }
        }
    }
}
