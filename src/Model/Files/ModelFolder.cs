using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// A folder that Hugging Face's <c>from_pretrained</c> opens: <c>config.json</c>, <c>generation_config.json</c>,
/// <c>tokenizer.json</c>, <c>tokenizer_config.json</c> and <c>model.safetensors</c>.
/// </summary>
public static class ModelFolder
{
    /// <summary>
    /// Writes all files into a folder that exists, each of them atomically, the weights last; of a model with adapters
    /// these alone.
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused; the earlier files are kept.</exception>
    public static void Save(string folder, Gpt model, Tokenizer tokenizer)
    {
        if (model.Adapter is not null)
        {
            AdapterFolder.Save(folder, model, tokenizer);
            return;
        }

        AtomicFile.WriteText(Path.Combine(folder, ConfigFile.Name), ConfigFile.Format(model.Config, tokenizer));
        string generation = tokenizer.Notes.Generation ?? GenerationConfig(tokenizer);
        AtomicFile.WriteText(Path.Combine(folder, TokenizerNotesReader.GenerationFile), generation);
        TokenizerFolder.SaveBesideModel(tokenizer, folder, model.Config.Context);
        WeightsFile.Save(Path.Combine(folder, WeightsFile.Name), model);
    }

    /// <summary>Opens a model folder on a backend, or a folder of adapters with the base that it names.</summary>
    /// <param name="weightType">F32, or I8 for a model that is only read.</param>
    /// <param name="lora">New adapters for a model, to be initialised.</param>
    /// <param name="keepAdapter">Whether adapters stay apart, to be trained on; else they are added to the
    /// weights.</param>
    /// <param name="note">Takes a line about what was found and is worth knowing, such as fields of config.json that
    /// are not read.</param>
    /// <exception cref="TinyLlmException">The folder or a file is missing, damaged or of an unknown kind, or the parts
    /// do not belong together.</exception>
    public static (Gpt Model, Tokenizer Tokenizer) Load(
        string folder, Backend backend, DType computeType = DType.F32, float dropout = 0, DType weightType = DType.F32,
        LoraSettings? lora = null, bool keepAdapter = false, Action<string>? note = null)
    {
        string found = Find(folder);
        if (AdapterFolder.Is(found))
            return LoadWithAdapter(folder, found, backend, computeType, dropout, weightType, lora, keepAdapter, note);
        var config = ConfigFile.Read(
            Path.Combine(found, ConfigFile.Name), note) with
        {
            Dropout = dropout,
            ComputeType = computeType,
            WeightType = weightType,
            Lora = lora
        };
        var tokenizer = TokenizerFolder.Load(found);
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new TinyLlmException($"{folder}: the tokenizer has {tokenizer.VocabularySize} ids, config.json a "
                + $"vocabulary of {config.VocabularySize}; " +
                "the two files do not belong together.");
        }

        using var weights = SafetensorsSet.Open(Path.Combine(found, WeightsFile.Name));
        WeightsFile.Check(weights, config);
        if (WeightsFile.HasOwnHead(weights, config))
        {
            // As transformers 5 does: what the file holds counts for more than the flag.
            note?.Invoke($"{folder}: config.json ties the head to the token table, but the file has another head; the "
                + "model has a head of its own.");
            config = config with { TiedHead = false };
        }

        var model = new Gpt(config, backend);
        try
        {
            WeightsFile.Load(weights, model);
            return (model, tokenizer);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static (Gpt Model, Tokenizer Tokenizer) LoadWithAdapter(
        string folder, string found, Backend backend, DType computeType, float dropout, DType weightType,
        LoraSettings? lora,
        bool keepAdapter, Action<string>? note)
    {
        if (lora is not null)
        {
            throw new TinyLlmException($"{folder}: these are adapters; expected a model for new adapters. "
                + $"Merge them first: {Merge(folder)}.");
        }

        if (weightType != DType.F32)
        {
            throw new TinyLlmException($"{folder}: these are adapters, which are added to weights in single precision. "
                + $"Merge them first: {Merge(folder)}.");
        }

        var settings = AdapterFolder.Read(found, note);
        if (!Directory.Exists(settings.Base) || AdapterFolder.Is(settings.Base))
        {
            throw new TinyLlmException($"{folder}: the base of these adapters, {settings.Base}, is no model's folder "
                + $"here. Put its path into {AdapterFolder.ConfigName}, base_model_name_or_path.");
        }

        var (model, ofBase) =
            Load(settings.Base, backend, computeType, dropout, lora: keepAdapter ? settings : null, note: note);
        try
        {
            if (keepAdapter)
                AdapterFolder.Load(found, model);
            else
                AdapterFolder.MergeInto(found, settings, model);
            var tokenizer = TokenizerFolder.Load(found);
            tokenizer.Tell(tokenizer.Notes.Over(ofBase.Notes));
            return (model, tokenizer);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>The folder to read, whole even while a new version takes its place.</summary>
    /// <exception cref="TinyLlmException">There is none, or it holds no model.</exception>
    public static string Find(string folder)
    {
        string found = AtomicFolder.Find(folder) ?? throw NoModel(folder, "there is no such folder");
        if (AdapterFolder.Is(found))
            return found;
        if (!File.Exists(Path.Combine(found, ConfigFile.Name)))
            throw NoModel(folder, $"there is no {ConfigFile.Name} in this folder");
        if (!SafetensorsSet.Exists(Path.Combine(found, WeightsFile.Name))
            && Directory.GetFiles(found).FirstOrDefault(IsPickle) is { } pickle)
        {
            throw new TinyLlmException(
                $"{folder}: its weights are PyTorch's ({Path.GetFileName(pickle)}), a format that can run code and is "
                + $"not read; expected {WeightsFile.Name}. "
                + "Convert them, as save_pretrained(safe_serialization=True) of transformers does.");
        }

        if (!SafetensorsSet.Exists(Path.Combine(found, WeightsFile.Name)))
            throw NoModel(folder, $"there is no {WeightsFile.Name} in this folder");
        return found;
    }

    // Not the option that gave the folder: there are several, such as --model, --init and --compare.
    private static TinyLlmException NoModel(string folder, string lack) =>
        new($"{folder}: {lack}; expected the folder of a model, as pretrain or finetune writes it.");

    private static string Merge(string folder) => $"tinyllm merge --model {Shell.Quote(folder)} --out DIR";

    private static bool IsPickle(string file) => Path.GetExtension(file) is ".bin" or ".pt" or ".pth" or ".ckpt";

    /// <summary>The text of <c>generation_config.json</c> for a model whose folder had none.</summary>
    internal static string GenerationConfig(Tokenizer tokenizer)
    {
        var fields = new Dictionary<string, object>
        {
            ["bos_token_id"] = tokenizer.DocumentStart,
            ["eos_token_id"] = tokenizer.AddedTokens.Ends,
            ["do_sample"] = true,
            ["temperature"] = 0.8,
        };
        return JsonSerializer.Serialize(fields, new JsonSerializerOptions { WriteIndented = true }) + "\n";
    }
}
