using System.Text;
using System.Text.Json.Nodes;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

/// <summary>
/// What published folders say of the ends of a text and of chats is still there in what is saved. The forms are those
/// of the models, the vocabularies small.
/// </summary>
public sealed class TokenizerNotesTests : IDisposable
{
    private const string Template = "{% for m in messages %}{{ m.role + ': ' + m.content }}\n{% endfor %}";

    private readonly TemporaryFolder folder = new();
    private readonly Backend backend = Backend.Create("cpu", 1);

    /// <summary>A published folder.</summary>
    /// <param name="Tokenizer">The golden tokenizer.</param>
    /// <param name="Ids">bos_token_id, eos_token_id and more of config.json.</param>
    /// <param name="Generation">generation_config.json, null for none.</param>
    /// <param name="Config">tokenizer_config.json, null for none.</param>
    /// <param name="Jinja">chat_template.jinja, null for none.</param>
    /// <param name="Ends">The ids that end a text.</param>
    public sealed record Published(
        string Tokenizer, string Ids, string? Generation, string? Config, string? Jinja, int[] Ends);

    public static readonly Dictionary<string, Published> Folders = new()
    {
        ["Qwen3"] = new("qwen", """{"bos_token_id": 600, "eos_token_id": 602}""",
            """
            {"bos_token_id": 600, "do_sample": true, "eos_token_id": [602, 600], "pad_token_id": 600,
             "temperature": 0.6, "top_k": 20, "top_p": 0.95, "transformers_version": "4.51.0"}
            """,
            $$$"""
            {"add_bos_token": false, "add_prefix_space": false, "bos_token": null,
             "chat_template": {{{Json(Template)}}}, "eos_token": "<|im_end|>",
             "pad_token": "<|endoftext|>", "unk_token": null}
            """, null, [600, 602]),
        ["Qwen3-Base"] = new("qwen", """{"bos_token_id": 600, "eos_token_id": 600}""",
            """{"bos_token_id": 600, "do_sample": false, "eos_token_id": 600, "max_new_tokens": 2048}""",
            """{"bos_token": null, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}""", null, [600, 602]),
        ["Llama 3"] = new("llama3", """{"bos_token_id": 602, "eos_token_id": [603, 604, 605]}""",
            """
            {"bos_token_id": 602, "do_sample": true, "eos_token_id": [603, 604, 605],
             "temperature": 0.6, "top_p": 0.9}
            """,
            $$$"""
            {"bos_token": "<|begin_of_text|>", "chat_template": {{{Json(Template)}}}, "eos_token": "<|eot_id|>",
             "model_max_length": 131072}
            """, null, [603, 605, 604]),
        ["SmolLM2"] = new("qwen", """{"bos_token_id": 601, "eos_token_id": 602, "pad_token_id": 602}""",
            """{"bos_token_id": 601, "eos_token_id": 602, "pad_token_id": 602}""",
            $$$"""
            {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>",
             "chat_template": [{"name": "default", "template": {{{Json(Template)}}}},
               {"name": "tools", "template": "x"}], "unk_token": "<|endoftext|>"}
            """, null, [600, 602]),
        ["GPT-2"] = new("gpt2", """{"bos_token_id": 600, "eos_token_id": 600}""",
            """{"_from_model_config": true, "bos_token_id": 600, "eos_token_id": 600}""",
            """{"model_max_length": 1024}""", null, [600]),
        ["a template in a file"] = new("qwen", """{"eos_token_id": 7}""", null,
            """{"eos_token": {"content": "<|im_end|>", "lstrip": false}, "bos_token": null}""",
            Template, [600, 602, 7]),
        ["without generation_config"] = new("llama3", """{"bos_token_id": 602, "eos_token_id": [603, 604]}""",
            null, null, null, [603, 605, 604]),
        ["ours"] = new("bpe", "{}", null, null, null, []),
    };

    public static TheoryData<string> Names => [.. Folders.Keys];

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AModelFolder_IsSavedAsItWas(string name)
    {
        string source = Make(name);
        Save(source, folder["saved"]);
        Save(folder["saved"], folder["again"]);
        CheckSame(name, source, folder["saved"]);
        foreach (string file in Directory.GetFiles(folder["saved"]))
            FolderContent.SameFile(file, Path.Combine(folder["again"], Path.GetFileName(file)));
    }

    /// <summary>Our own models' files do not change a byte.</summary>
    [Theory]
    [InlineData("bpe")]
    [InlineData("byte")]
    [InlineData("char")]
    [InlineData("word")]
    public void OurOwnFolders_AreTheSameBytes(string kind)
    {
        var tokenizer = TokenizerFolder.Load(Golden(kind));
        using var model = NewModel(tokenizer.VocabularySize);
        Directory.CreateDirectory(folder["fresh"]);
        ModelFolder.Save(folder["fresh"], model, Fresh(tokenizer));
        string[] names =
            ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
        Assert.Equal(names, Directory.GetFiles(folder["fresh"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Save(folder["fresh"], folder["saved"], chats: true);
        Assert.Equal(Directory.GetFiles(folder["fresh"]).Length, Directory.GetFiles(folder["saved"]).Length);
        foreach (string file in Directory.GetFiles(folder["fresh"]))
            FolderContent.SameFile(file, Path.Combine(folder["saved"], Path.GetFileName(file)));
        var (loaded, of) = ModelFolder.Load(folder["saved"], backend);
        loaded.Dispose();
        Assert.Equal(tokenizer.Hash, of.Hash);
    }

    /// <summary>An exported tokenizer tells the same ends and template, without the model's files.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void AnExportedTokenizer_TellsTheSame(string name)
    {
        string source = Make(name);
        var tokenizer = TokenizerFolder.Load(source);
        tokenizer.Save(folder["out"]);
        var exported = TokenizerFolder.Load(folder["out"]);
        Assert.Equal(tokenizer.AddedTokens.Ends, exported.AddedTokens.Ends);
        Assert.Equal(tokenizer.Hash, exported.Hash);
        Assert.Equal(tokenizer.Notes.TemplateText, exported.Notes.TemplateText);
        CheckSameConfig(Folders[name], folder["out"]);
        Assert.False(File.Exists(folder["out/config.json"]));
        bool hasOthers = name is "Llama 3" or "a template in a file" or "without generation_config";
        Assert.Equal(hasOthers, File.Exists(folder["out/generation_config.json"]));
        if (name == "Llama 3")
            Assert.Equal(Folders[name].Generation, File.ReadAllText(folder["out/generation_config.json"]));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Adapters_AndWhatTheyAreMergedTo_TellTheSame(string name)
    {
        string source = Make(name);
        var settings = new LoraSettings(2, 4, ["q_proj"]) { Base = source };
        var (model, tokenizer) = ModelFolder.Load(source, backend, lora: settings);
        using (model)
        {
            model.InitializeAdapter(1);
            Directory.CreateDirectory(folder["lora"]);
            ModelFolder.Save(folder["lora"], model, tokenizer);
        }

        Assert.Equal(tokenizer.AddedTokens.Ends, TokenizerFolder.Load(folder["lora"]).AddedTokens.Ends);
        Save(folder["lora"], folder["merged"]);
        CheckSame(name, source, folder["merged"]);
    }

    [Fact]
    public void AModelThatLearnsToChat_SaysSo()
    {
        string source = Make("Qwen3-Base");
        Save(source, folder["chat"], chats: true);
        Assert.Equal("[600,602]", Parse(folder["chat"], "generation_config.json")["eos_token_id"]!.ToJsonString());
        Assert.Equal(2048, (int)Parse(folder["chat"], "generation_config.json")["max_new_tokens"]!);
        Assert.Equal(600, (int)Parse(folder["chat"], "config.json")["eos_token_id"]!);
        Assert.Equal(ChatTemplate.Jinja, (string)Parse(folder["chat"], "tokenizer_config.json")["chat_template"]!);
        Assert.Equal("<|endoftext|>", (string)Parse(folder["chat"], "tokenizer_config.json")["eos_token"]!);

        // One that could do so before keeps what it had.
        foreach (string name in (string[])["Qwen3", "Llama 3", "SmolLM2"])
        {
            Save(Make(name), folder[$"{name}-chat"], chats: true);
            CheckSame(name, folder[name], folder[$"{name}-chat"]);
        }
    }

    /// <summary>A new model takes the tokenizer and its ends, not how another model is sampled.</summary>
    [Fact]
    public void ANewModel_TakesTheTokenizerAlone()
    {
        var tokenizer = TokenizerFolder.Load(Make("Llama 3"));
        tokenizer.ServesNewModel();
        using var model = NewModel(tokenizer.VocabularySize);
        Directory.CreateDirectory(folder["new"]);
        ModelFolder.Save(folder["new"], model, tokenizer);
        var generation = Parse(folder["new"], "generation_config.json");
        Assert.Equal("[603,605,604]", generation["eos_token_id"]!.ToJsonString());
        Assert.Null(generation["top_p"]);
        Assert.Equal([603, 605, 604], TokenizerFolder.Load(folder["new"]).AddedTokens.Ends);
    }

    [Fact]
    public void EveryEnd_EndsAText()
    {
        var tokenizer = TokenizerFolder.Load(Make("Llama 3"));
        Assert.Equal([603, 604, 605], Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.EndsText));
        Assert.Equal(603, tokenizer.EndOfText);

        // An ordinary token may do so too, and stays text.
        var other = TokenizerFolder.Load(Make("a template in a file"));
        Assert.True(other.EndsText(7) && other.IsText(7));
    }

    [Theory]
    [InlineData("config.json", """{"eos_token_id": 700}""", "eos_token_id has 700", "0 to 605")]
    [InlineData("config.json", """{"eos_token_id": [603, -1]}""", "eos_token_id has -1", "0 to 605")]
    [InlineData("config.json", """{"eos_token_id": "603"}""", "eos_token_id is \"603\"", "a token id, a list")]
    [InlineData("config.json", """{"eos_token_id": [603, 1.5]}""", "eos_token_id is [603, 1.5]", "a token id, a list")]
    [InlineData("generation_config.json", """{"eos_token_id": [603, [604]]}""", "eos_token_id is", "a list of them")]
    [InlineData("generation_config.json", """{"eos_token_id": 606}""", "eos_token_id has 606", "0 to 605")]
    [InlineData("generation_config.json", """{"eos_token_id": true}""", "eos_token_id is true", "a token id, a list")]
    [InlineData("generation_config.json", """[603]""", "not valid JSON", "no object")]
    [InlineData("generation_config.json", """{"eos_token_id": 603""", "not valid JSON", "copy the file again")]
    [InlineData("generation_config.json", """{"eos_token_id": 3, "top_p": 1, "top_p": 2}""", "not valid JSON", "top_p")]
    [InlineData("tokenizer_config.json", """{"eos_token": 5}""", "eos_token is 5", "name of a token")]
    [InlineData("tokenizer_config.json", """{"eos_token": "</s>"}""", "eos_token is '</s>'", "does not have")]
    [InlineData("tokenizer_config.json", """{"pad_token": {"text": "x"}}""", "pad_token is", "\"content\"")]
    public void WrongEnds_AreRefusedByName(string file, string json, params string[] parts)
    {
        Copy("llama3", folder.Path);
        folder.Write(file, json);
        UserError.Expect(() => TokenizerFolder.Load(folder.Path), [file, .. parts]);
    }

    [Fact]
    public void AnEndAmongTheModelsRows_IsTaken()
    {
        Copy("llama3", folder.Path);
        folder.Write("config.json", """{"vocab_size": 640, "eos_token_id": [603, 639], "bos_token_id": null}""");
        Assert.Equal([603, 605, 639], TokenizerFolder.Load(folder.Path).AddedTokens.Ends);
        folder.Write("config.json", """{"vocab_size": 640, "eos_token_id": 640}""");
        UserError.Expect(() => TokenizerFolder.Load(folder.Path), "config.json", "has 640", "0 to 639");
    }

    [Theory]
    [InlineData("llama3", "tokenizer.json", "tokenizer_config.json", "generation_config.json")]
    [InlineData("gpt2", "vocab.json", "merges.txt")]
    public void AByteOrderMark_IsSkipped(string name, params string[] files)
    {
        Copy(name, folder.Path);
        if (name == "llama3")
        {
            folder.Write("tokenizer_config.json", Folders["Llama 3"].Config!);
            folder.Write("generation_config.json", Folders["Llama 3"].Generation!);
        }

        var expected = TokenizerFolder.Load(folder.Path);
        foreach (string file in files)
        {
            byte[] bytes = File.ReadAllBytes(folder[file]);
            folder.Write(file, [.. Encoding.UTF8.Preamble, .. bytes]);
            Assert.Equal(expected.Hash, TokenizerFolder.Load(folder.Path).Hash);
            Assert.Equal(expected.AddedTokens.Ends, TokenizerFolder.Load(folder.Path).AddedTokens.Ends);
        }

        TokenizerFolder.Load(folder.Path).Save(folder["out"]);
        foreach (string path in Directory.GetFiles(folder["out"]))
            Assert.NotEqual(Encoding.UTF8.Preamble[0], File.ReadAllBytes(path)[0]);
    }

    /// <summary>A folder that is used again does not lend its template to the new run.</summary>
    [Fact]
    public void ARunThatReplacesAnother_LeavesNothingOfItsTokenizer()
    {
        folder.Write("metrics.jsonl", "");
        folder.Write("chat_template.jinja", Template);
        folder.Write("generation_config.json", """{"eos_token_id": 5}""");
        Directory.CreateDirectory(folder["additional_chat_templates"]);
        folder.Write("additional_chat_templates/tools.jinja", "x");
        folder.Write("mine.jinja", "x");
        RunFolder.Create(folder.Path, force: true).Dispose();
        Assert.Equal(["mine.jinja"], folder.Names);
    }

    private static string Json(string text) => JsonValue.Create(text)!.ToJsonString();

    private static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", name);

    private static JsonNode Parse(string folder, string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!;

    private static void Copy(string name, string to)
    {
        foreach (string file in (string[])["tokenizer.json", "vocab.json", "merges.txt"])
        {
            if (File.Exists(Path.Combine(Golden(name), file)))
                File.Copy(Path.Combine(Golden(name), file), Path.Combine(to, file));
        }
    }

    // As it is when it has just been made.
    private static Tokenizer Fresh(Tokenizer tokenizer)
    {
        tokenizer.Tell(TokenizerNotes.None);
        return tokenizer;
    }

    private Gpt NewModel(int rows)
    {
        var model = new Gpt(GptConfig.Create(Architecture.Llama, 1, 2, 16, 32, rows), backend);
        model.Initialize(1);
        return model;
    }

    /// <summary>Writes a folder in the form of a published one: our weights, their other files.</summary>
    private string Make(string name)
    {
        var published = Folders[name];
        string path = folder[name];
        Directory.CreateDirectory(path);
        var tokenizer = TokenizerFolder.Load(Golden(published.Tokenizer));
        using (var model = NewModel(tokenizer.VocabularySize))
            ModelFolder.Save(path, model, Fresh(tokenizer));
        if (name == "ours")
            return path;

        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
            File.Delete(Path.Combine(path, file));
        Copy(published.Tokenizer, path);
        var config = Parse(path, "config.json").AsObject();
        foreach (string field in (string[])["bos_token_id", "eos_token_id"])
            config.Remove(field);
        foreach (var (field, value) in JsonNode.Parse(published.Ids)!.AsObject())
            config[field] = value?.DeepClone();
        folder.Write($"{name}/config.json", config.ToJsonString());
        Write("generation_config.json", published.Generation);
        Write("tokenizer_config.json", published.Config);
        Write("chat_template.jinja", published.Jinja);
        return path;

        void Write(string file, string? text)
        {
            if (text is not null)
                folder.Write($"{name}/{file}", text);
        }
    }

    private void Save(string source, string target, bool chats = false)
    {
        var (model, tokenizer) = ModelFolder.Load(source, backend);
        using var owner = model;
        if (chats)
            tokenizer.LearnsToChat();
        Directory.CreateDirectory(target);
        ModelFolder.Save(target, model, tokenizer);
    }

    private static void CheckSame(string name, string source, string saved)
    {
        var published = Folders[name];
        Assert.Equal(TokenizerFolder.Load(source).AddedTokens.Ends, TokenizerFolder.Load(saved).AddedTokens.Ends);
        if (published.Ends.Length > 0)
            Assert.Equal(published.Ends, TokenizerFolder.Load(saved).AddedTokens.Ends);
        foreach (var (field, value) in JsonNode.Parse(published.Ids)!.AsObject())
        {
            var found = Parse(saved, "config.json")[field];
            Assert.True(JsonNode.DeepEquals(value, found), $"{field} is {found}; expected {value}");
        }

        if (published.Generation is not null)
            Assert.Equal(published.Generation, File.ReadAllText(Path.Combine(saved, "generation_config.json")));
        CheckSameConfig(published, saved);
    }

    private static void CheckSameConfig(Published published, string saved)
    {
        var config = Parse(saved, "tokenizer_config.json").AsObject();
        foreach (var (field, value) in published.Config is null ? [] : JsonNode.Parse(published.Config)!.AsObject())
        {
            if (field != "model_max_length")
                Assert.True(JsonNode.DeepEquals(value, config[field]), $"{field} is {config[field]}; expected {value}");
        }

        if (published.Config is not null)
        {
            bool hasTemplate = published.Config.Contains("chat_template", StringComparison.Ordinal);
            Assert.Equal(hasTemplate, config.ContainsKey("chat_template"));
        }

        string jinja = Path.Combine(saved, "chat_template.jinja");
        Assert.Equal(published.Jinja, File.Exists(jinja) ? File.ReadAllText(jinja) : null);
    }
}
