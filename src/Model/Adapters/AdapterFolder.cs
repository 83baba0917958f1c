using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// A folder that Hugging Face's PEFT opens: <c>adapter_config.json</c>, which names the base, and
/// <c>adapter_model.safetensors</c>, with the base's tokenizer beside them. The weights' file keeps a hash of the
/// base's weights, so that an adapter is not put on another one.
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
        var writer = new SafetensorsWriter(
            new Dictionary<string, string> { ["format"] = "pt", [HashName] = adapter.BaseHash ??= HashOf(model) });
        foreach (var parameter in adapter.Parameters.All)
        {
            writer.Add(parameter.Name, DType.F32, [parameter.Shape[0], parameter.Shape[1]],
                destination => model.Backend.Read(parameter.Value, destination));
        }

        writer.Save(Path.Combine(folder, WeightsName));
    }

    /// <summary>Reads what the adapters of a folder are, and of which base.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="note">Takes a line about fields that this program does not know.</param>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or asks for something that does not exist
    /// here.</exception>
    public static LoraSettings Read(string folder, Action<string>? note = null)
    {
        string path = Path.Combine(folder, ConfigName);
        try
        {
            using var document = ConfigFields.Parse(path);
            return Read(new ConfigFields(path, document.RootElement), path, note);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new TinyLlmException($"{path}: no valid JSON ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); "
                + $"expected PEFT's {ConfigName}.", e);
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
        CheckPlaces(reader, [.. model.Adapter!.Parameters.All.Select(parameter => parameter.Name)]);
        foreach (var parameter in model.Adapter.Parameters.All)
        {
            model.Backend.Write(
                parameter.Value, values =>
                    ReadInto(reader, parameter.Name, parameter.Shape[0], parameter.Shape[1], values));
        }

        model.UpdateWorking();
    }

    /// <summary>Adds the adapters of a folder to the weights of their base: W += alpha / rank B A.</summary>
    /// <exception cref="TinyLlmException">The file is missing, damaged, or of another base.</exception>
    public static void MergeInto(string folder, LoraSettings settings, Gpt model)
    {
        using var reader = Open(folder, model);
        var matrices = model.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix).ToList();
        var covered = matrices.SelectMany(p => p.Parts).Where(part => settings.Covers(LoraAdapter.ModuleOf(part)))
            .ToList();
        CheckPlaces(
            reader, [.. covered.SelectMany(part => new[] { LoraAdapter.NameOfA(part), LoraAdapter.NameOfB(part) })]);
        if (settings.Targets.FirstOrDefault(
            t => !covered.Exists(part => (settings with { Targets = [t] }).Covers(LoraAdapter.ModuleOf(part))))
            is { } target)
        {
            throw new TinyLlmException(
                $"{Path.Combine(folder, ConfigName)}: target_modules has \"{target}\", which is none of the linear "
                + "layers that can have adapters here "
                + $"({string.Join(", ", LoraSettings.LayersOf(model.Config.Architecture))}). Merge the adapters into "
                + "their base with PEFT first.");
        }

        foreach (var parameter in matrices)
        {
            var parts = parameter.Parts.Where(covered.Contains).ToList();
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
                AddProduct(weights.AsMemory(part.FirstRow * inputs, part.Rows * inputs), b, a, settings.Scale,
                    settings.Rank, inputs);
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
            throw new TinyLlmException(
                $"{folder}: these adapters belong to another base: weights with SHA-256 "
                + $"{expected[..Math.Min(12, expected.Length)]}..., and those of the model that "
                + $"{ConfigName} names have {hash[..12]}.... Put the base's path there, base_model_name_or_path.");
        }

        if (model.Adapter is not null)
            model.Adapter.BaseHash = hash;
        return reader;
    }

    // A tensor that finds no place would be left out of what the adapters compute.
    private static void CheckPlaces(SafetensorsReader reader, HashSet<string> places)
    {
        if (reader.Tensors.FirstOrDefault(tensor => !places.Contains(tensor.Name)) is { } other)
        {
            throw new TinyLlmException(
                $"{reader.Path}: the tensor {other.Name} has no place in this model: only the linear layers of its "
                + $"blocks, as target_modules of {ConfigName} "
                + "names them, can have adapters here. Merge the adapters into their base with PEFT first.");
        }
    }

    private static void ReadInto(SafetensorsReader reader, string name, int rows, int columns, Span<float> values)
    {
        var found = reader.Find(name)
            ?? throw new TinyLlmException($"{reader.Path}: the tensor {name} is missing; the file does not belong to "
                + $"its {ConfigName}, or to another base.");
        if (!found.Shape.SequenceEqual([rows, columns]))
        {
            throw new TinyLlmException(
                $"{reader.Path}: {found}; expected ({rows}, {columns}). The adapters belong to another base.");
        }

        reader.Read(name, values);
    }

    private static void AddProduct(Memory<float> weights, float[] b, float[] a, float scale, int rank, int inputs) =>
        Parallel.For(0, b.Length / rank, row =>
    {
        var sums = weights.Span.Slice(row * inputs, inputs);
        for (int k = 0; k < rank; k++)
        {
            float factor = scale * b[row * rank + k];
            for (int i = 0; i < inputs; i++)
                sums[i] += factor * a[k * inputs + i];
        }
    });

    private static string Format(LoraSettings settings, Architecture architecture) =>
        JsonSerializer.Serialize(new Dictionary<string, object?>
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

    // Fields of PEFT's LoraConfig that say how adapters are trained or found, not what they compute.
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "task_type", "inference_mode", "auto_mapping", "revision", "peft_version", "fan_in_fan_out", "loftq_config",
            "eva_config",
        "corda_config", "megatron_config", "megatron_core", "runtime_config", "layers_pattern", "qalora_group_size",
        "ensure_weight_tying", "unsloth_version",
    };

    private static LoraSettings Read(ConfigFields config, string path, Action<string>? note)
    {
        const string Remedy = "plain LoRA adapters of linear layers: merge these into their base with PEFT first";
        config.Expect("peft_type", LoraType);
        foreach (string flag in (string[])["use_dora", "use_rslora", "use_qalora", "lora_bias"])
            config.Expect(flag, false);
        if (config.Text("bias") is { } bias && bias != "none")
            throw config.Fault("bias", $"is \"{bias}\"", $"\"none\", {Remedy}");
        foreach (string none in (string[])["modules_to_save", "rank_pattern", "alpha_pattern", "layers_to_transform",
            "layer_replication", "exclude_modules",
            "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "arrow_config"])
        {
            config.ExpectNone(none);
        }

        CheckInit(config);
        string[] unread = [.. config.Unread(
            new HashSet<string>(
                Harmless) { "r", "lora_alpha", "target_modules", "lora_dropout", "base_model_name_or_path" })];
        if (unread.Length > 0)
        {
            note?.Invoke($"{path}: {string.Join(", ", unread)}: not known here and not read; where one of them "
                + "changes what the adapters compute, the results are other than PEFT's.");
        }

        return new LoraSettings(
            config.Integer("r"), (float)config.Number("lora_alpha"), config.Texts("target_modules"),
            (float)config.Number("lora_dropout", 0))
        {
            Base = config.Text("base_model_name_or_path", "the folder of the base model"),
        };
    }

    // Initialisations that also change the base's weights leave adapters that do not fit the base as it was.
    private static void CheckInit(ConfigFields config)
    {
        if (config.IsText("init_lora_weights") && config.Text("init_lora_weights") is { } init
            && !(init is "gaussian" or "eva" or "orthogonal"))
        {
            throw config.Fault(
                "init_lora_weights", $"is \"{init}\", which changes the base's weights too",
                "true, false, \"gaussian\", \"eva\" or \"orthogonal\"");
        }

        config.Pass("init_lora_weights");
    }
}
