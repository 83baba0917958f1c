using System.Text.Json;
using System.Text.Json.Nodes;
using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// A model's <c>config.json</c> in Hugging Face's form: <c>model_type</c> gpt2, llama or qwen3, with the fields that transformers reads.
/// </summary>
public static class ConfigFile
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string Name = "config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>
    /// The file's text for a model whose documents begin and end with a tokenizer's tokens, or with what the
    /// tokenizer's folder says instead.
    /// </summary>
    public static string Format(GptConfig config, Tokenizer tokenizer)
    {
        var json = config.Architecture == Architecture.Gpt2 ? FormatGpt2(config) : FormatLlama(config);
        json["vocab_size"] = config.VocabularySize;
        json["bos_token_id"] = tokenizer.DocumentStart;
        json["eos_token_id"] = tokenizer.EndOfText;
        foreach (var (name, value) in tokenizer.Notes.Model)
            json[name] = JsonNode.Parse(value.GetRawText());
        json["initializer_range"] = Gpt.InitDeviation;
        json["tie_word_embeddings"] = config.TiedHead;
        json["torch_dtype"] = "float32";
        json["use_cache"] = true;
        return json.ToJsonString(Indented) + "\n";
    }

    /// <summary>Reads a configuration, ours or another tool's.</summary>
    /// <exception cref="TinyLlmException">The file is missing or no JSON, or the model is of a kind that this program has not.</exception>
    public static GptConfig Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using var json = JsonDocument.Parse(file);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new JsonException("the top level is no object");
            return Read(new Fields(path, json.RootElement), path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter: half a surrogate pair.
            throw new TinyLlmException($"{path}: not valid JSON ({e.Message.TrimEnd('.')}); expected a model's config.json.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static GptConfig Read(Fields fields, string path)
    {
        string type = fields.Text("model_type", "");
        var config = type switch
        {
            "gpt2" => ReadGpt2(fields),
            "llama" => ReadLlama(fields, Architecture.Llama),
            "qwen3" => ReadLlama(fields, Architecture.Qwen3),
            _ => throw new TinyLlmException($"{path}: model_type is \"{type}\"; expected gpt2, llama or qwen3."),
        };
        try
        {
            config.Validate();
            return config;
        }
        catch (TinyLlmException e)
        {
            throw new TinyLlmException($"{path}: {e.Message}", e);
        }
    }

    private static JsonObject FormatGpt2(GptConfig config) => new()
    {
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["model_type"] = "gpt2",
        ["n_layer"] = config.Layers,
        ["n_head"] = config.Heads,
        ["n_embd"] = config.Width,
        ["n_inner"] = config.MlpWidth,
        ["n_positions"] = config.Context,
        ["n_ctx"] = config.Context,
        ["activation_function"] = "gelu_new",
        ["layer_norm_epsilon"] = config.NormEpsilon,
        ["embd_pdrop"] = config.Dropout,
        ["attn_pdrop"] = config.Dropout,
        ["resid_pdrop"] = config.Dropout,
    };

    private static JsonObject FormatLlama(GptConfig config)
    {
        bool qwen3 = config.Architecture == Architecture.Qwen3;
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(qwen3 ? "Qwen3ForCausalLM" : "LlamaForCausalLM"),
            ["model_type"] = qwen3 ? "qwen3" : "llama",
            ["num_hidden_layers"] = config.Layers,
            ["num_attention_heads"] = config.Heads,
            ["num_key_value_heads"] = config.KvHeads,
            ["head_dim"] = config.HeadSize,
            ["hidden_size"] = config.Width,
            ["intermediate_size"] = config.MlpWidth,
            ["max_position_embeddings"] = config.Context,
            ["hidden_act"] = "silu",
            ["rms_norm_eps"] = config.NormEpsilon,
            ["rope_theta"] = config.RopeBase,
            ["rope_scaling"] = null,
            ["attention_bias"] = false,
            ["attention_dropout"] = config.Dropout,
        };
        if (qwen3)
            json["use_sliding_window"] = false;
        else
            json["mlp_bias"] = false;
        return json;
    }

    private static GptConfig ReadGpt2(Fields fields)
    {
        fields.Expect("activation_function", "gelu_new", "gelu_pytorch_tanh");
        fields.ExpectFalse("scale_attn_by_inverse_layer_idx");
        fields.ExpectFalse("add_cross_attention");
        int width = fields.Integer("n_embd"), heads = fields.Integer("n_head");
        return new GptConfig
        {
            Architecture = Architecture.Gpt2,
            Layers = fields.Integer("n_layer"),
            Heads = heads,
            KvHeads = heads,
            HeadSize = fields.Divide("n_embd", width, "n_head", heads),
            Width = width,
            MlpWidth = fields.Integer("n_inner", 4 * width),
            Context = fields.Integer("n_positions"),
            VocabularySize = fields.Integer("vocab_size"),
            NormEpsilon = (float)fields.Number("layer_norm_epsilon", 1e-5),
        };
    }

    private static GptConfig ReadLlama(Fields fields, Architecture architecture)
    {
        fields.Expect("hidden_act", "silu");
        fields.ExpectFalse("attention_bias");
        fields.ExpectFalse("mlp_bias");
        fields.ExpectFalse("use_sliding_window");
        int width = fields.Integer("hidden_size"), heads = fields.Integer("num_attention_heads");
        int headSize = fields.Integer("head_dim", 0);
        return new GptConfig
        {
            Architecture = architecture,
            Layers = fields.Integer("num_hidden_layers"),
            Heads = heads,
            KvHeads = fields.Integer("num_key_value_heads", heads),
            HeadSize = headSize > 0 ? headSize : fields.Divide("hidden_size", width, "num_attention_heads", heads),
            Width = width,
            MlpWidth = fields.Integer("intermediate_size"),
            Context = fields.Integer("max_position_embeddings"),
            VocabularySize = fields.Integer("vocab_size"),
            NormEpsilon = (float)fields.Number("rms_norm_eps", 1e-6),
            RopeBase = fields.RopeBase(),
            TiedHead = fields.Flag("tie_word_embeddings", false),
        };
    }

    /// <summary>The object's fields, with messages that name the file and the field.</summary>
    private sealed class Fields(string path, JsonElement json)
    {
        public int Integer(string name, int? fallback = null)
        {
            if (Find(json, name) is not { } value)
                return fallback ?? throw new TinyLlmException($"{path}: {name} is missing; expected a whole number.");
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number))
                return number;
            throw new TinyLlmException($"{path}: {name} is {value.GetRawText()}; expected a whole number.");
        }

        public double Number(string name, double fallback) => Number(json, name, fallback);

        public string Text(string name, string fallback) => Text(json, name, fallback);

        public bool Flag(string name, bool fallback) =>
            Find(json, name) is { ValueKind: JsonValueKind.True or JsonValueKind.False } value ? value.GetBoolean() : fallback;

        public int Divide(string name, int value, string byName, int by) => by > 0 && value % by == 0
            ? value / by
            : throw new TinyLlmException($"{path}: {byName} {by} does not divide {name} {value}.");

        public void Expect(string name, params ReadOnlySpan<string> allowed)
        {
            string value = Text(name, allowed[0]);
            if (!allowed.Contains(value))
                throw new TinyLlmException($"{path}: {name} is \"{value}\"; this program has only {string.Join(" and ", allowed!)}.");
        }

        public void ExpectFalse(string name)
        {
            if (Flag(name, false))
                throw new TinyLlmException($"{path}: {name} is true; this program has models without it only.");
        }

        // Older files have rope_theta and rope_scaling at the top, newer ones both in rope_parameters.
        public double RopeBase()
        {
            double fallback = 10_000;
            if ((Find(json, "rope_parameters") ?? Find(json, "rope_scaling")) is { ValueKind: JsonValueKind.Object } scaling)
            {
                string kind = Text(scaling, "rope_type", "default");
                if (kind != "default")
                    throw new TinyLlmException($"{path}: RoPE scaling \"{kind}\" is not supported; expected none.");
                fallback = Number(scaling, "rope_theta", fallback);
            }

            return Number("rope_theta", fallback);
        }

        private double Number(JsonElement from, string name, double fallback)
        {
            if (Find(from, name) is not { } value)
                return fallback;
            if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number))
                return number;
            throw new TinyLlmException($"{path}: {name} is {value.GetRawText()}; expected a number.");
        }

        private static string Text(JsonElement from, string name, string fallback) =>
            Find(from, name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : fallback;

        // Null is as good as absent.
        private static JsonElement? Find(JsonElement from, string name) =>
            from.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
