using System.Text.Json.Nodes;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>
/// config.json of other programs: each field that changes what a model computes is honoured, refused by name, or named
/// in a note.
/// </summary>
public sealed class ConfigFileTests : IDisposable
{
    private const string Llama = """
        {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32,
         "intermediate_size": 64, "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "vocab_size": 259}
        """;

    private const string Gpt2 = """
        {"model_type": "gpt2", "n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 64, "vocab_size": 259}
        """;

    private readonly TemporaryFolder folder = new();
    private readonly List<string> notes = [];

    [Theory]
    [InlineData("""{"rope_theta": 5e5}""", 5e5, 1)]
    [InlineData("""{"rope_theta": 5e5, "rope_scaling": null}""", 5e5, 1)]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": 4.0}}""", 1e4, 4)]
    [InlineData("""{"rope_scaling": {"rope_type": "linear", "type": "dynamic", "factor": 4}}""", 1e4, 4)]
    [InlineData("""{"rope_theta": 1e6, "rope_scaling": {"rope_type": "linear", "factor": 2.5}}""", 1e6, 2.5)]
    [InlineData("""{"rope_scaling": {"type": "dynamic", "factor": 8}}""", 1e4, 1)]
    [InlineData("""{"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}""", 5e5, 1)]
    [InlineData("""{"rope_theta": 1e4, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}""", 5e5, 1)]
    [InlineData("""{"rope_theta": 5e5, "rope_parameters": {"rope_type": "linear", "factor": 3}}""", 5e5, 3)]
    [InlineData("""{"rope_parameters": {"rope_type": "default", "rope_theta": 7e5}, "rope_scaling": {"type": "linear", "factor": 2}}""", 1e4, 2)]
    [InlineData("""{"rope_parameters": {}, "rope_scaling": {}}""", 1e4, 1)]
    public void Rope_IsAsTransformers5HasIt(string fields, double ropeBase, double divisor)
    {
        foreach (string type in new[] { "llama", "qwen3" })
        {
            var config = Read(Llama, fields, $$"""{"model_type": "{{type}}"}""");
            Assert.Equal((ropeBase, divisor), (config.RopeBase, config.RopeDivisor));
            Assert.Empty(notes);
        }
    }

    [Theory]
    [InlineData("""{"rope_scaling": {"type": "yarn", "factor": 4}}""", "rope_scaling.type is \"yarn\"")]
    [InlineData("""{"rope_scaling": {"rope_type": "llama3", "factor": 8}}""", "rope_scaling.rope_type is \"llama3\"")]
    [InlineData("""{"rope_parameters": {"rope_type": "longrope"}}""", "rope_parameters.rope_type is \"longrope\"")]
    [InlineData("""{"rope_parameters": {"full_attention": {"rope_type": "default"}}}""", "rope_parameters.full_attention")]
    [InlineData("""{"rope_scaling": {"type": "linear"}}""", "rope_scaling.factor is missing")]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": 0}}""", "factor of RoPE's scaling is 0")]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": "2"}}""", "rope_scaling.factor is \"2\"")]
    [InlineData("""{"rope_scaling": {"type": 3}}""", "rope_scaling.type is 3")]
    [InlineData("""{"rope_scaling": "linear"}""", "rope_scaling is \"linear\"")]
    [InlineData("""{"rope_scaling": {"type": "default", "mrope_section": [1, 2, 3]}}""", "rope_scaling.mrope_section")]
    [InlineData("""{"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}""", "rope_parameters.partial_rotary_factor is 0.5")]
    [InlineData("""{"partial_rotary_factor": 0.25}""", "partial_rotary_factor is 0.25")]
    [InlineData("""{"rope_theta": "1e4"}""", "rope_theta is \"1e4\"")]
    [InlineData("""{"attention_bias": true}""", "attention_bias is true")]
    [InlineData("""{"mlp_bias": true}""", "mlp_bias is true")]
    [InlineData("""{"attention_bias": "false"}""", "attention_bias is \"false\"")]
    [InlineData("""{"use_sliding_window": true}""", "use_sliding_window is true")]
    [InlineData("""{"layer_types": ["full_attention", "sliding_attention"]}""", "layer_types has \"sliding_attention\"")]
    [InlineData("""{"layer_types": "full_attention"}""", "layer_types is \"full_attention\"")]
    [InlineData("""{"hidden_act": "gelu"}""", "hidden_act is \"gelu\"")]
    [InlineData("""{"hidden_act": 1}""", "hidden_act is 1")]
    [InlineData("""{"tie_word_embeddings": "true"}""", "tie_word_embeddings is \"true\"")]
    [InlineData("""{"is_encoder_decoder": true}""", "is_encoder_decoder is true")]
    [InlineData("""{"pruned_heads": {"0": [1]}}""", "pruned_heads is")]
    [InlineData("""{"head_dim": 7}""", "RoPE needs an even one")]
    [InlineData("""{"num_attention_heads": 5}""", "num_attention_heads 5 does not divide hidden_size 32")]
    [InlineData("""{"hidden_size": 32.5}""", "hidden_size is 32.5")]
    [InlineData("""{"hidden_size": null}""", "hidden_size is missing")]
    [InlineData("""{"model_type": "mistral"}""", "model_type is \"mistral\"; expected gpt2, llama or qwen3")]
    [InlineData("""{"model_type": null}""", "model_type is missing")]
    public void OfLlama_WhatIsNotSupported_IsRefusedByName(string fields, string part) => Refuse(Llama, fields, part);

    [Theory]
    [InlineData("""{"scale_attn_weights": false}""", "scale_attn_weights is false")]
    [InlineData("""{"scale_attn_by_inverse_layer_idx": true}""", "scale_attn_by_inverse_layer_idx is true")]
    [InlineData("""{"add_cross_attention": true}""", "add_cross_attention is true")]
    [InlineData("""{"activation_function": "gelu"}""", "activation_function is \"gelu\"")]
    [InlineData("""{"layer_norm_epsilon": "x"}""", "layer_norm_epsilon is \"x\"")]
    public void OfGpt2_WhatIsNotSupported_IsRefusedByName(string fields, string part) => Refuse(Gpt2, fields, part);

    [Fact]
    public void Defaults_AreThoseOfTransformers()
    {
        Assert.Equal((8, false, 1e4), (Read(Llama).HeadSize, Read(Llama).TiedHead, Read(Llama).RopeBase));
        Assert.Equal(128, Read(Llama, """{"model_type": "qwen3"}""").HeadSize);
        Assert.Equal(128, Read(Llama, """{"model_type": "qwen3", "head_dim": null}""").HeadSize);
        Assert.Equal(4, Read(Llama, """{"num_key_value_heads": null}""").KvHeads);
        Assert.Equal(1e-6f, Read(Llama, """{"rms_norm_eps": null}""").NormEpsilon);
        Assert.Equal((true, 128, 1e-5f), (Read(Gpt2).TiedHead, Read(Gpt2).MlpWidth, Read(Gpt2).NormEpsilon));
        Assert.False(Read(Gpt2, """{"tie_word_embeddings": false}""").TiedHead);
        Assert.Empty(notes);
    }

    [Fact]
    public void AFieldThatNoTableKnows_IsNamedInANote()
    {
        Read(Llama, """{"logits_scaling": 8, "residual_multiplier": null, "rope_scaling": {"type": "linear", "factor": 2, "beta": 1}, "torch_dtype": "bfloat16"}""");
        string note = Assert.Single(notes);
        Assert.Contains("logits_scaling, rope_scaling.beta: not known here", note, StringComparison.Ordinal);
        Assert.DoesNotContain("torch_dtype", note, StringComparison.Ordinal);
        Assert.DoesNotContain("residual_multiplier", note, StringComparison.Ordinal);
    }

    [Fact]
    public void PublishedFiles_GiveNoNote()
    {
        Read(Gpt2, """
            {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 258, "embd_pdrop": 0.1, "eos_token_id": 258,
             "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "n_ctx": 64, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
             "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true, "task_specific_params": {"text-generation": {"do_sample": true}}}
            """);
        Read(Llama, """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": [2, 3], "hidden_act": "silu",
             "initializer_range": 0.02, "mlp_bias": false, "pretraining_tp": 1, "rope_scaling": null, "rope_theta": 500000.0, "tie_word_embeddings": false,
             "torch_dtype": "bfloat16", "transformers_version": "4.40.0", "use_cache": true, "_name_or_path": "x"}
            """);
        Read(Llama, """
            {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "dtype": "bfloat16", "head_dim": 8, "hidden_act": "silu",
             "layer_types": ["full_attention", "full_attention"], "max_window_layers": 28, "rope_parameters": {"rope_theta": 1000000, "rope_type": "default"},
             "sliding_window": null, "use_sliding_window": false, "transformers_version": "5.0.0"}
            """);
        Assert.Empty(notes);
    }

    [Theory]
    [InlineData("""{"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.5}}""")]
    [InlineData("""{"rope_scaling": {"type": "dynamic", "factor": 8}, "tie_word_embeddings": true}""")]
    [InlineData("{}")]
    public void WhatWasRead_IsWrittenAgain(string fields)
    {
        foreach (string whole in new[] { Llama, Llama.Replace("\"llama\"", "\"qwen3\"", StringComparison.Ordinal) })
        {
            var config = Read(whole, fields);
            folder.Write("again.json", ConfigFile.Format(config, new ByteTokenizer()));
            Assert.Equal(config, ConfigFile.Read(folder["again.json"], notes.Add));
            Assert.Empty(notes);
        }

        var gpt2 = Read(Gpt2, """{"tie_word_embeddings": false}""");
        folder.Write("again.json", ConfigFile.Format(gpt2, new ByteTokenizer()));
        Assert.Equal(gpt2, ConfigFile.Read(folder["again.json"], notes.Add));
    }

    [Fact]
    public void AByteOrderMark_IsNoPartOfIt()
    {
        folder.Write("config.json", "\uFEFF" + Llama);
        Assert.Equal(2, ConfigFile.Read(folder["config.json"]).Layers);
    }

    public void Dispose() => folder.Dispose();

    private GptConfig Read(string whole, params string[] changes)
    {
        var json = JsonNode.Parse(whole)!.AsObject();
        foreach (var (name, value) in changes.SelectMany(change => JsonNode.Parse(change)!.AsObject()))
            json[name] = value?.DeepClone();
        folder.Write("config.json", json.ToJsonString());
        return ConfigFile.Read(folder["config.json"], notes.Add);
    }

    private void Refuse(string whole, string fields, string part) =>
        UserError.Expect(() => Read(whole, fields), "config.json", part);
}
