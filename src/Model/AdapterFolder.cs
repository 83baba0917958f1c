using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// A folder that Hugging Face's PEFT opens: <c>adapter_config.json</c>, which names the base, and <c>adapter_model.safetensors</c>, with the base's tokenizer beside them. The weights' file
/// keeps a hash of the base's weights, so that an adapter is not put on another one.
/// </summary>
public static class AdapterFolder
{
    /// <summary>Says what the adapters are and whose.</summary>
    public const string ConfigName = "adapter_config.json";

    /// <summary>A and B of each.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    private const string HashName = "base_sha256", LoraType = "LORA";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>Whether a folder holds adapters and not a model.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, ConfigName));

    /// <summary>Writes a model's adapters into a folder that exists, each file atomically, the weights last.</summary>
    /// <exception cref="TinyLlmException">The file system refused; the earlier files are kept.</exception>
    public static void Save(string folder, Gpt model, Tokenizer tokenizer)
    {
        var adapter = model.Adapter!;
        AtomicFile.WriteText(Path.Combine(folder, ConfigName), Format(adapter.Settings, model.Config.Architecture));
        TokenizerFolder.Save(tokenizer, folder, model.Config.Context);

        // The base's, which may have learned to chat; ours follows from the tokenizer.
        if (tokenizer.Notes.Generation is { } generation && generation != ModelFolder.GenerationConfig(tokenizer))
            AtomicFile.WriteText(Path.Combine(folder, TokenizerNotesReader.GenerationFile), generation);
        var writer = new SafetensorsWriter(new Dictionary<string, string> { ["format"] = "pt", [HashName] = adapter.BaseHash ??= HashOf(model) });
        foreach (var parameter in adapter.Parameters.All)
            writer.Add(parameter.Name, DType.F32, [parameter.Shape[0], parameter.Shape[1]], destination => model.Backend.Read(parameter.Value, destination));
        writer.Save(Path.Combine(folder, WeightsName));
    }

    /// <summary>Reads what the adapters of a folder are, and of which base.</summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or asks for something that does not exist here.</exception>
    public static LoraSettings Read(string folder)
    {
        string path = Path.Combine(folder, ConfigName);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return Read(document.RootElement, path);
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path}: no valid JSON ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}).", e);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new TinyLlmException($"{path}: expected PEFT's r, lora_alpha, target_modules and base_model_name_or_path; one of them is missing or of another kind.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    /// <summary>Reads the weights of a folder into a model that has such adapters.</summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or of another base.</exception>
    public static void Load(string folder, Gpt model)
    {
        using var reader = Open(folder, model);
        foreach (var parameter in model.Adapter!.Parameters.All)
            model.Backend.Write(parameter.Value, values => ReadInto(reader, parameter.Name, parameter.Shape[0], parameter.Shape[1], values));
        model.UpdateWorking();
    }

    /// <summary>Adds the adapters of a folder to the weights of their base: W += alpha / rank B A.</summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or of another base.</exception>
    public static void MergeInto(string folder, LoraSettings settings, Gpt model)
    {
        using var reader = Open(folder, model);
        foreach (var parameter in model.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix))
        {
            var parts = parameter.Parts.Where(part => settings.Covers(LoraAdapter.ModuleOf(part))).ToList();
            if (parts.Count == 0)
                continue;
            var weights = new float[parameter.Shape.Count];
            model.Backend.Read(parameter.Value, weights);
            int inputs = parameter.Shape[1];
            foreach (var part in parts)
            {
                float[] a = new float[settings.Rank * inputs], b = new float[part.Rows * settings.Rank];
                ReadInto(reader, LoraAdapter.NameOfA(part), settings.Rank, inputs, a);
                ReadInto(reader, LoraAdapter.NameOfB(part), part.Rows, settings.Rank, b);
                AddProduct(weights.AsMemory(part.FirstRow * inputs, part.Rows * inputs), b, a, settings.Scale, settings.Rank, inputs);
            }

            model.Backend.Write(parameter.Value, weights);
        }

        model.UpdateWorking();
    }

    /// <summary>A hash of a model's weights, whatever type their file has.</summary>
    private static string HashOf(Gpt model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var parameter in model.Parameters.All)
        {
            var values = new float[parameter.Shape.Count];
            model.Backend.Read(parameter.Value, values);
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan(0, (int)parameter.RealCount)));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static SafetensorsReader Open(string folder, Gpt model)
    {
        var reader = SafetensorsReader.Open(Path.Combine(folder, WeightsName));
        string hash = HashOf(model);
        if (reader.Metadata.TryGetValue(HashName, out string? expected) && expected != hash)
        {
            reader.Dispose();
            throw new TinyLlmException($"{folder}: these adapters belong to another base: weights with SHA-256 {expected[..Math.Min(12, expected.Length)]}..., and those of the model that "
                + $"{ConfigName} names have {hash[..12]}.... Put the base's path there, base_model_name_or_path.");
        }

        if (model.Adapter is not null)
            model.Adapter.BaseHash = hash;
        return reader;
    }

    private static void ReadInto(SafetensorsReader reader, string name, int rows, int columns, Span<float> values)
    {
        var found = reader.Find(name) ?? throw new TinyLlmException($"{reader.Path}: the tensor {name} is missing; the file does not belong to its {ConfigName}, or to another base.");
        if (!found.Shape.SequenceEqual([rows, columns]))
            throw new TinyLlmException($"{reader.Path}: {found}; expected ({rows}, {columns}). The adapters belong to another base.");
        reader.Read(name, values);
    }

    private static void AddProduct(Memory<float> weights, float[] b, float[] a, float scale, int rank, int inputs) => Parallel.For(0, b.Length / rank, row =>
    {
        var sums = weights.Span.Slice(row * inputs, inputs);
        for (int k = 0; k < rank; k++)
        {
            float factor = scale * b[row * rank + k];
            for (int i = 0; i < inputs; i++)
                sums[i] += factor * a[k * inputs + i];
        }
    });

    private static string Format(LoraSettings settings, Architecture architecture) => JsonSerializer.Serialize(new Dictionary<string, object?>
    {
        ["peft_type"] = LoraType,
        ["task_type"] = "CAUSAL_LM",
        ["base_model_name_or_path"] = settings.Base,
        ["r"] = settings.Rank,
        ["lora_alpha"] = settings.Alpha,
        ["lora_dropout"] = settings.Dropout,
        ["target_modules"] = settings.Targets,
        ["bias"] = "none",
        ["fan_in_fan_out"] = architecture == Architecture.Gpt2, // GPT-2's weights are (in, out)
        ["inference_mode"] = true,
        ["modules_to_save"] = null,
    }, Json) + "\n";

    private static LoraSettings Read(JsonElement config, string path)
    {
        Refuse(config.GetProperty("peft_type").GetString() != LoraType, "peft_type is not LORA");
        foreach (string flag in (string[])["use_dora", "use_rslora"])
            Refuse(config.TryGetProperty(flag, out var value) && value.ValueKind == JsonValueKind.True, $"{flag} is true");
        foreach (string pattern in (string[])["rank_pattern", "alpha_pattern"])
            Refuse(config.TryGetProperty(pattern, out var value) && value.ValueKind == JsonValueKind.Object && value.EnumerateObject().Any(), $"{pattern} is not empty");
        Refuse(config.TryGetProperty("bias", out var bias) && bias.GetString() != "none", "bias is not none");
        Refuse(config.TryGetProperty("modules_to_save", out var saved) && saved.ValueKind == JsonValueKind.Array && saved.GetArrayLength() > 0, "modules_to_save is not empty");
        var targets = config.GetProperty("target_modules");
        Refuse(targets.ValueKind != JsonValueKind.Array, "target_modules is no list");
        float dropout = config.TryGetProperty("lora_dropout", out var value2) ? value2.GetSingle() : 0;
        return new LoraSettings(config.GetProperty("r").GetInt32(), config.GetProperty("lora_alpha").GetSingle(), [.. targets.EnumerateArray().Select(t => t.GetString()!)], dropout)
        {
            Base = config.GetProperty("base_model_name_or_path").GetString()!,
        };

        void Refuse(bool condition, string what)
        {
            if (condition)
                throw new TinyLlmException($"{path}: {what}; expected plain LoRA adapters of linear layers. Merge them into their base with PEFT first.");
        }
    }
}
