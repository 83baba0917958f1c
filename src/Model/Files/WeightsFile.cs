using System.Runtime.InteropServices;
using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// A model's weights as safetensors under Hugging Face's names: stacked parameters are cut into row slices, GPT-2's
/// linear weights are transposed, padding rows are left out.
/// </summary>
public static class WeightsFile
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string Name = "model.safetensors";

    private const string HeadName = "lm_head.weight";

    // Of two tables that are compared, at a time.
    private const int ComparedElements = 1 << 20;

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

    /// <summary>
    /// Reads the weights into a model whose shapes they must have, from one file or several with an index; F32, BF16
    /// and F16 are accepted.
    /// </summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or not of this model; the message names the
    /// tensor.</exception>
    public static void Load(string path, Gpt model)
    {
        using var reader = SafetensorsSet.Open(path);
        if (HasOwnHead(reader, model.Config))
        {
            throw new TinyLlmException(
                $"{path}: {HeadName} differs from the token table, to which config.json ties the head; "
                + "expected equal weights, or \"tie_word_embeddings\": false in config.json.");
        }

        Load(reader, model);
    }

    /// <summary>
    /// Whether a file has a head that differs from the token table to which the configuration ties it.
    /// </summary>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    internal static bool HasOwnHead(SafetensorsSet reader, GptConfig config)
    {
        string table = config.Architecture == Architecture.Gpt2 ? "transformer.wte.weight"
            : "model.embed_tokens.weight";
        if (!config.TiedHead || reader.Find(HeadName) is not { } head || Find(reader, table) is not { } found)
            return false;
        if (!head.Shape.SequenceEqual(reader[found].Shape))
            return true;

        // Bit by bit, so that a NaN equals itself; a part at a time, as the tables are the largest tensors.
        float[] a = new float[ComparedElements], b = new float[ComparedElements];
        for (long start = 0; start < head.Count; start += ComparedElements)
        {
            int count = (int)Math.Min(ComparedElements, head.Count - start);
            reader.Read(HeadName, start, a.AsSpan(0, count));
            reader.Read(found, start, b.AsSpan(0, count));
            if (!MemoryMarshal.AsBytes(a.AsSpan(0, count)).SequenceEqual(MemoryMarshal.AsBytes(b.AsSpan(0, count))))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Refuses a file whose weights cannot be those of a model before its memory is taken: types that are not read, or
    /// fewer elements than the model has.
    /// </summary>
    /// <exception cref="TinyLlmException">It is such a file.</exception>
    internal static void Check(SafetensorsSet reader, GptConfig config)
    {
        var weights = reader.Tensors.Where(tensor => !IsBuffer(tensor.Name)).ToList();
        if (weights.Find(
            tensor => tensor.Name.EndsWith(".weight", StringComparison.Ordinal)
            && !SafetensorsReader.IsRead(tensor.DType)) is { } other)
        {
            throw new TinyLlmException(
                $"{reader.Path}: the tensor {other.Name} has the dtype {other.DType}; expected F32, BF16 or F16. "
                + "Take the model's weights that are not quantised, or convert them.");
        }

        double elements = weights.Sum(tensor => (double)tensor.Count);
        if (!(elements >= config.MatrixWeights))
        {
            throw new TinyLlmException(
                $"{reader.Path}: the file has {elements:F0} weights; the model of config.json has "
                + $"{config.MatrixWeights:F0} or more. "
                + "The two files do not belong together.");
        }
    }

    /// <summary>
    /// Reads the weights of an open file; a head beside a tied one must have been looked at by
    /// <see cref="HasOwnHead"/>.
    /// </summary>
    /// <exception cref="TinyLlmException">As <see cref="Load(string, Gpt)"/>.</exception>
    internal static void Load(SafetensorsSet reader, Gpt model)
    {
        string path = reader.Path;
        var unknown = reader.Tensors.Select(t => t.Name).Where(name => !IsBuffer(name)).ToHashSet();
        foreach (var parameter in model.Parameters.All)
        {
            foreach (var part in parameter.Parts)
            {
                string name = Find(reader, part.Name)
                    ?? throw new TinyLlmException(
                        $"{path}: the tensor {part.Name} is missing; the file does not belong to this config.json.");
                CheckShape(path, reader[name], FileShape(parameter, part));
                unknown.Remove(name);
            }
        }

        // A tied head is often written out once more.
        if (model.Config.TiedHead)
            unknown.Remove(HeadName);
        if (unknown.Count > 0)
        {
            throw new TinyLlmException($"{path}: the tensor {unknown.Order().First()} has no place in this model; the "
                + "file does not belong to this config.json.");
        }

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

    private static bool IsBuffer(string name) => Buffers.Any(name.EndsWith);

    // GPT-2's own files leave the "transformer." out.
    private static string? Find(SafetensorsSet reader, string name)
    {
        if (reader.Find(name) is not null)
            return name;
        string shorter = name.StartsWith("transformer.", StringComparison.Ordinal) ? name["transformer.".Length..]
            : name;
        return reader.Find(shorter) is not null ? shorter : null;
    }

    private static void CheckShape(string path, SafetensorsTensor tensor, int[] expected)
    {
        if (!tensor.Shape.SequenceEqual(expected.Select(n => (long)n)))
        {
            throw new TinyLlmException($"{path}: {tensor.Name} is ({string.Join(", ", tensor.Shape)}); config.json "
                + $"asks for ({string.Join(", ", expected)}). " +
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

    // A tensor of the file goes where its rows are in memory; one that is transposed goes there by way of a matrix that
    // serves all of them.
    private static void FromFile(
        SafetensorsSet reader, string name, Parameter parameter, FilePart part, Span<float> memory, ref float[] matrix)
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
