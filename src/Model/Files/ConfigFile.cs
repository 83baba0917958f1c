using System.Text.Json;
using System.Text.Json.Nodes;
using TinyLlm.Tokenizers;

namespace TinyLlm.Model;

/// <summary>
/// A model's <c>config.json</c> in Hugging Face's form: <c>model_type</c> gpt2, llama or qwen3, with the fields that
/// transformers reads.
/// </summary>
public static class ConfigFile
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string Name = "config.json";

    private const double DefaultRopeBase = 10_000;
    private const int Qwen3HeadSize = 128;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    // Fields that other programs write and that do not change what a model computes: names, types of files, the state
    // of training, and how text is sampled. Dropout is that of the run (--dropout).
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "_name_or_path", "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
            "unk_token_id",
        "decoder_start_token_id", "tokenizer_class", "prefix", "transformers_version", "transformers.js_config",
        "torch_dtype", "dtype",
        "initializer_range", "use_cache", "cache_implementation", "gradient_checkpointing", "pretraining_tp",
        "attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "reorder_and_upcast_attn",
        "quantization_config",
        "attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx", "model_max_length",
        "max_window_layers", "sliding_window",
        "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
        "task_specific_params", "problem_type", "finetuning_task", "id2label", "label2id", "num_labels", "is_decoder",
        "is_composition",
        "torchscript", "use_bfloat16", "tie_encoder_decoder", "cross_attention_hidden_size", "chunk_size_feed_forward",
        "output_attentions", "output_hidden_states", "output_scores", "return_dict", "return_dict_in_generate",
        "use_return_dict",
        "do_sample", "temperature", "top_k", "top_p", "typical_p", "max_length", "min_length", "max_new_tokens",
        "num_beams",
        "num_beam_groups", "num_return_sequences", "diversity_penalty", "length_penalty", "repetition_penalty",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "early_stopping", "bad_words_ids", "forced_bos_token_id", "forced_eos_token_id",
        "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
        "tf_legacy_loss",
        "unsloth_version", "unsloth_fixed",
        "original_max_position_embeddings", // of RoPE scalings other than those that are read
    };

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
            json[name] = JsonText.Node(value.GetRawText());
        json["initializer_range"] = Gpt.InitDeviation;
        json["tie_word_embeddings"] = config.TiedHead;
        json["torch_dtype"] = "float32";
        json["use_cache"] = true;
        return json.ToJsonString(Indented) + "\n";
    }

    /// <summary>Reads a configuration, ours or another tool's.</summary>
    /// <param name="path">The file.</param>
    /// <param name="note">Takes a line about fields that this program does not know.</param>
    /// <exception cref="TinyLlmException">
    /// The file is missing or no JSON, the model is of a kind that this program has not, or a field has a value that is
    /// not supported. </exception>
    public static GptConfig Read(string path, Action<string>? note = null)
    {
        try
        {
            using var json = ConfigFields.Parse(path);
            return Read(new ConfigFields(path, json.RootElement), path, note);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter: half a surrogate pair.
            throw new TinyLlmException(
                $"{path}: not valid JSON ({e.Message.TrimEnd('.')}); expected a model's config.json.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static GptConfig Read(ConfigFields fields, string path, Action<string>? note)
    {
        string? type = fields.Text("model_type");
        var config = type switch
        {
            "gpt2" => ReadGpt2(fields),
            "llama" => ReadLlama(fields, Architecture.Llama),
            "qwen3" => ReadLlama(fields, Architecture.Qwen3),
            _ => throw new TinyLlmException(
                $"{path}: model_type is {(type is null ? "missing" : $"\"{type}\"")}; expected gpt2, llama or qwen3."),
        };
        string[] unread = [.. fields.Unread(Harmless)];
        if (unread.Length > 0)
        {
            note?.Invoke(
                $"{path}: {string.Join(", ", unread)}: not known here and not read; where one of them changes what "
                + "the model "
                + "computes, its results are other than those of the program that wrote it.");
        }

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
            ["rope_scaling"] = config.RopeScaling is not { } scaling ? null
                : new JsonObject
                {
                    ["rope_type"] = scaling.Kind.ToString().ToLowerInvariant(),
                    ["factor"] = scaling.Factor
                },
            ["attention_bias"] = false,
            ["attention_dropout"] = config.Dropout,
        };
        if (qwen3)
            json["use_sliding_window"] = false;
        else
            json["mlp_bias"] = false;
        return json;
    }

    private static GptConfig ReadGpt2(ConfigFields fields)
    {
        fields.Expect("activation_function", "gelu_new", "gelu_pytorch_tanh");
        fields.Expect("scale_attn_weights", true);
        fields.Expect("scale_attn_by_inverse_layer_idx", false);
        fields.Expect("add_cross_attention", false);
        ExpectDecoder(fields);
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
            TiedHead = fields.Flag("tie_word_embeddings", true),
        };
    }

    // What is absent has the defaults of transformers' LlamaConfig and Qwen3Config.
    private static GptConfig ReadLlama(ConfigFields fields, Architecture architecture)
    {
        bool qwen3 = architecture == Architecture.Qwen3;
        fields.Expect("hidden_act", "silu", "swish");
        fields.Expect("attention_bias", false);
        fields.Expect("mlp_bias", false);
        fields.Expect("use_sliding_window", false);
        fields.Expect("partial_rotary_factor", 1);
        fields.ExpectAll("layer_types", "full_attention");
        ExpectDecoder(fields);
        int width = fields.Integer("hidden_size"), heads = fields.Integer("num_attention_heads");
        int headSize = fields.Integer(
            "head_dim", qwen3 ? Qwen3HeadSize : fields.Divide("hidden_size", width, "num_attention_heads", heads));
        var (ropeBase, scaling) = ReadRope(fields);
        return new GptConfig
        {
            Architecture = architecture,
            Layers = fields.Integer("num_hidden_layers"),
            Heads = heads,
            KvHeads = fields.Integer("num_key_value_heads", heads),
            HeadSize = headSize,
            Width = width,
            MlpWidth = fields.Integer("intermediate_size"),
            Context = fields.Integer("max_position_embeddings"),
            VocabularySize = fields.Integer("vocab_size"),
            NormEpsilon = (float)fields.Number("rms_norm_eps", 1e-6),
            RopeBase = ropeBase,
            RopeScaling = scaling,
            TiedHead = fields.Flag("tie_word_embeddings", false),
        };
    }

    private static void ExpectDecoder(ConfigFields fields)
    {
        fields.Expect("is_encoder_decoder", false);
        fields.ExpectNone("pruned_heads");
    }

    // Older files have rope_theta and rope_scaling at the top, newer ones all in rope_parameters. As in transformers 5,
    // rope_scaling goes before rope_parameters, and what is nested before what stands at the top.
    private static (double Base, RopeScaling? Scaling) ReadRope(ConfigFields fields)
    {
        double top = fields.Number("rope_theta", DefaultRopeBase);
        var rope = fields.Object("rope_scaling");
        if (rope is null)
            rope = fields.Object("rope_parameters");
        else
            fields.Pass("rope_parameters");
        if (rope is null)
            return (top, null);

        double ropeBase = rope.Number("rope_theta", top);
        rope.Expect("partial_rotary_factor", 1);
        rope.ExpectNone("mrope_section");
        rope.ExpectNone("full_attention"); // parameters for each kind of layer
        string? newer = rope.Text("rope_type"), older = rope.Text("type");
        string kind = newer ?? older ?? "default";
        return kind switch
        {
            "default" => (ropeBase, null),
            "linear" => (ropeBase, new RopeScaling(RopeScalingKind.Linear, rope.Number("factor"))),
            "dynamic" => (ropeBase, new RopeScaling(RopeScalingKind.Dynamic, rope.Number("factor"))),
            _ => throw rope.Fault(newer is null ? "type" : "rope_type", $"is \"{kind}\"", "default, linear or dynamic"),
        };
    }
}
