using System.Text.Json.Nodes;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>Adapters of other programs: what they hold is computed or refused by name.</summary>
public sealed class AdapterFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Backend backend = Backend.Create("cpu", 1);

    /// <summary>
    /// What changes the adapters' output and is not computed here is refused by name; a tensor that finds no place is
    /// too.
    /// </summary>
    [Theory]
    [InlineData("\"use_rslora\": true", "use_rslora is true")]
    [InlineData("\"lora_bias\": true", "lora_bias is true")]
    [InlineData("\"use_qalora\": true", "use_qalora is true")]
    [InlineData("\"rank_pattern\": {\"q_proj\": 4}", "rank_pattern is")]
    [InlineData("\"alpha_pattern\": {\"q_proj\": 4}", "alpha_pattern is")]
    [InlineData("\"layers_to_transform\": [0]", "layers_to_transform is [0]")]
    [InlineData("\"layer_replication\": [[0, 1]]", "layer_replication is")]
    [InlineData("\"trainable_token_indices\": [1]", "trainable_token_indices is")]
    [InlineData("\"target_parameters\": [\"x\"]", "target_parameters is")]
    [InlineData("\"alora_invocation_tokens\": [1]", "alora_invocation_tokens is")]
    [InlineData("\"init_lora_weights\": \"pissa\"", "init_lora_weights is \"pissa\"")]
    [InlineData("\"lora_alpha\": \"8\"", "lora_alpha is \"8\"")]
    [InlineData("\"lora_alpha\": null", "lora_alpha is missing")]
    [InlineData("\"target_modules\": \"all-linear\"", "target_modules is \"all-linear\"")]
    [InlineData("\"target_modules\": [\"q_proj\", \"up_proj\", \"lm_head\"]", "target_modules has \"lm_head\"")]
    public void FieldsOfAdapters_AreHonouredOrRefused(string field, string part)
    {
        SaveAdapter();
        string path = folder["adapter/adapter_config.json"];
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        foreach (var (name, value) in JsonNode.Parse($"{{{field}}}")!.AsObject())
            json[name] = value?.DeepClone();
        File.WriteAllText(path, json.ToJsonString());
        UserError.Expect(() => ModelFolder.Load(folder["adapter"], backend).Model.Dispose(), part);
    }

    [Fact]
    public void FieldsThatAreNotKnown_AreNamed_AndHarmlessOnesAreNot()
    {
        SaveAdapter();
        string path = folder["adapter/adapter_config.json"];
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        (json["init_lora_weights"], json["rank_pattern"], json["revision"], json["new_method"]) =
            (true, new JsonObject(), null, 3);
        File.WriteAllText(path, json.ToJsonString());
        List<string> notes = [];
        ModelFolder.Load(folder["adapter"], backend, note: notes.Add).Model.Dispose();
        Assert.Contains(
            "adapter_config.json: new_method: not known here", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("base_model.model.lm_head.lora_A.weight")]
    [InlineData("base_model.model.model.embed_tokens.lora_embedding_A")]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.bias")]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector")]
    public void ATensorOfAdaptersWithoutAPlace_IsRefusedByName(string name)
    {
        SaveAdapter();
        string path = folder["adapter/adapter_model.safetensors"];
        var writer = new SafetensorsWriter();
        using (var reader = SafetensorsReader.Open(path))
        {
            foreach (var tensor in reader.Tensors)
            {
                var values = new float[tensor.Count];
                reader.Read(tensor.Name, values);
                writer.Add(tensor.Name, DType.F32, [.. tensor.Shape.Select(n => (int)n)],
                    destination => values.CopyTo(destination));
            }
        }

        writer.Add(name, DType.F32, [2], destination => destination.Clear());
        writer.Save(path);
        foreach (bool keep in new[] { false, true })
        {
            UserError.Expect(
                () => ModelFolder.Load(folder["adapter"], backend, keepAdapter: keep).Model.Dispose(), name,
                "has no place");
        }
    }

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    // A folder of adapters beside their base.
    private void SaveAdapter()
    {
        var tokenizer = new ByteTokenizer();
        using var source =
            new Gpt(GptConfig.Create(Architecture.Llama, 1, 2, 16, 8, tokenizer.VocabularySize), backend);
        source.Initialize(4);
        Directory.CreateDirectory(folder["base"]);
        ModelFolder.Save(folder["base"], source, tokenizer);
        using var adapted = ModelFolder.Load(
            folder["base"], backend,
            lora: new LoraSettings(3, 6, ["q_proj", "up_proj"]) { Base = folder["base"] }).Model;
        adapted.InitializeAdapter(5);
        Directory.CreateDirectory(folder["adapter"]);
        AdapterFolder.Save(folder["adapter"], adapted, tokenizer);
    }
}
