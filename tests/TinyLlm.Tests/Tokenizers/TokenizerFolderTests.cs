using System.Text.Json.Nodes;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public sealed class TokenizerFolderTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tinyllm-tokenizer-").FullName;

    public static TheoryData<string> Kinds => ["byte", "char", "bpe", "word"];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Load_OfWhatSaveWrote_GivesTheSameTokenizer(string kind)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 200, withInvalid: false);
            Tokenizer saved = kind switch
            {
                "byte" => new ByteTokenizer(),
                "char" => CharTokenizer.Train(text),
                "word" => WordTokenizer.Train([text], 8 + seed),
                _ => ByteLevelBpeTokenizer.Train(text, 259 + 10 * seed),
            };
            saved.Save(folder);
            var loaded = TokenizerFolder.Load(folder);

            Assert.Equal(saved.Kind, loaded.Kind);
            Assert.Equal(saved.Hash, loaded.Hash);
            Assert.Equal(saved.VocabularySize, loaded.VocabularySize);
            for (int id = 0; id < saved.VocabularySize; id++)
                Assert.Equal(saved.TokenBytes(id), loaded.TokenBytes(id));
            Assert.Equal(saved.Encode(text), loaded.Encode(text));
        }

        Assert.Equal(
            ["tokenizer.json", "tokenizer_config.json"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
    }

    // The ids in pairs.json are Hugging Face's own (scripts/check-tokenizer --write).
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Encode_GivesTheIdsOfHuggingFace(string kind)
    {
        string golden = Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", kind);
        var tokenizer = TokenizerFolder.Load(golden);
        Assert.Equal(kind, tokenizer.Kind);
        var pairs = JsonNode.Parse(File.ReadAllText(Path.Combine(golden, "pairs.json")))!.AsArray();
        Assert.True(pairs.Count >= 10, $"only {pairs.Count} pairs");
        foreach (var pair in pairs)
        {
            string text = pair!["text"]!.GetValue<string>();
            Assert.Equal(pair["ids"]!.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Encode(text));
        }

        // The files have not changed their form since they were checked.
        TokenizerFolder.Save(tokenizer, folder, maxLength: 256);
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json"])
            Assert.Equal(File.ReadAllText(Path.Combine(golden, file)), File.ReadAllText(Path.Combine(folder, file)));
    }

    [Fact]
    public void Load_TakesMergesAsPairsToo()
    {
        var saved = ByteLevelBpeTokenizer.Train("the thing the thing the thing"u8, 264);
        saved.Save(folder);
        Edit(root => root["model"]!["merges"] = new JsonArray([.. root["model"]!["merges"]!.AsArray()
            .Select(m => new JsonArray([.. m!.GetValue<string>().Split(' ').Select(p => (JsonNode)p)]))]));
        Assert.Equal(saved.Merges, ((ByteLevelBpeTokenizer)TokenizerFolder.Load(folder)).Merges);
    }

    [Fact]
    public void Load_TakesBytesInAnyOrder()
    {
        ByteLevelBpeTokenizer.Train("aaa the thing the thing"u8, 270).Save(folder);
        Edit(root => (root["model"]!["vocab"]!["a"], root["model"]!["vocab"]!["\u0100"]) = (0, 97));
        byte[] text = [0, (byte)'a', 0xFF, 0xE4, .. "the thing aa"u8];
        var loaded = TokenizerFolder.Load(folder);
        Assert.Equal([97, 0, 0xFF, 0xE4], loaded.Encode(text)[..4]);
        Assert.Equal(text, loaded.Decode(loaded.Encode(text)));
    }

    [Fact]
    public void Save_WritesWhatOtherProgramsNeed()
    {
        TokenizerFolder.Save(new ByteTokenizer(), folder, maxLength: 512);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer_config.json")))!;
        Assert.Equal("<|endoftext|>", config["eos_token"]!.GetValue<string>());
        Assert.Equal(512, config["model_max_length"]!.GetValue<int>());
        Assert.Equal(ChatTemplate.Jinja, config["chat_template"]!.GetValue<string>());
        Assert.False(config["add_prefix_space"]!.GetValue<bool>());
    }

    [Fact]
    public void Save_WhereAFileIsInTheWay_IsRefused()
    {
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "x");
        var e = Assert.Throws<TinyLlmException>(() => new ByteTokenizer().Save(file));
        Assert.Contains("tokenizer.json: could not be written", e.Message);
        Assert.Equal("x", File.ReadAllText(file));
    }

    [Fact]
    public void Load_OfAMissingFile_IsRefused()
    {
        Refused("There is no");
        var e = Assert.Throws<TinyLlmException>(() => TokenizerFolder.Load(Path.Combine(folder, "missing")));
        Assert.Contains("tokenizer.json", e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"model\": ")]
    [InlineData("not json")]
    public void Load_OfMalformedJson_IsRefused(string json)
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json);
        Refused("no valid JSON at line 1");
    }

    [Theory]
    [InlineData("[]", "\"model\" is missing")]
    [InlineData("{}", "\"model\" is missing")]
    [InlineData("{\"model\": 3}", "\"type\" is missing")]
    [InlineData("{\"model\": {\"type\": 3}}", "wrong type")]
    [InlineData("{\"model\": {\"type\": \"\\ud800\"}}", "wrong type")]
    [InlineData("{\"model\": {\"type\": \"Unigram\"}}", "model type is Unigram")]
    [InlineData("{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}", "vocab is empty")]
    [InlineData("{\"model\": {\"type\": \"BPE\", \"vocab\": []}}", "wrong type")]
    [InlineData("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"a\": 1}}}", "'a' is empty or occurs twice")]
    public void Load_OfAnotherStructure_IsRefused(string json, string message)
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json);
        Refused(message);
    }

    public static TheoryData<string, string, string> Damages => new()
    {
        { "/normalizer", """{"type": "NFKC"}""", "normalizer is NFKC" },
        { "/model/vocab/a", "1000", "without gaps" },
        { "/model/vocab/a", "-1", "without gaps" },
        { "/model/vocab/a", "1.5", "without gaps" },
        { "/model/vocab/a", "\"x\"", "wrong type" },
        { "/model/vocab/a", "98", "share id 98" },
        { "/model/merges", """["t h"]""", "" },
        { "/model/merges", """["t h", "t h"]""", "occurs twice" },
        { "/model/merges", """["t q"]""", "merge 0 is 't q'" },
        { "/model/merges", """["th"]""", "merge 0 is 'th'" },
        { "/model/merges", """[["t"]]""", "merge 0 is 't'" },
        { "/model/dropout", "0.1", "model.dropout is 0.1" },
        { "/model/end_of_word_suffix", "\"</w>\"", "end_of_word_suffix" },
        { "/added_tokens", "[]", "no added token ends a text" },
        { "/added_tokens", "null", "wrong type" },
        { "/added_tokens/0/id", "7", "share id 7" },
        { "/added_tokens/0/id", "0.5", "wrong type" },
        { "/added_tokens/0/content", "\"</s>\"", "no added token ends a text" },
        { "/pre_tokenizer", "null", "pre-tokenizer is null" },
        { "/pre_tokenizer", """{"type": "Metaspace"}""", "pre-tokenizer is Metaspace" },
        { "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\"\\\\s\"", "Split pattern is '\\s'" },
        { "/pre_tokenizer/pretokenizers/0/behavior", "\"Removed\"", "behavior of Split is Removed" },
        { "/pre_tokenizer/pretokenizers/1/use_regex", "true", "use_regex" },
        { "/pre_tokenizer/pretokenizers/1/add_prefix_space", "true", "add_prefix_space" },
        { "/pre_tokenizer", """{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}""", "ByteLevel does not cut text" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Load_OfADamagedBpeFile_IsRefused(string path, string json, string message)
    {
        ByteLevelBpeTokenizer.Train("the thing the thing the thing"u8, 264).Save(folder);
        Set(path, json);
        if (message.Length == 0)
        {
            Assert.Equal(
                [('t', 'h')],
                ((ByteLevelBpeTokenizer)TokenizerFolder.Load(folder)).Merges.Select(
                    m => ((char)m.Left, (char)m.Right)));
        }
        else
            Refused(message);
    }

    [Fact]
    public void Load_OfABpeFileWithoutAByte_IsRefused()
    {
        new ByteTokenizer().Save(folder);
        Edit(root =>
        {
            var vocab = root["model"]!["vocab"]!.AsObject();
            vocab.Remove("a");
            vocab["th"] = 97;
        });
        Refused("byte 0x61 has no token");
        Edit(root => root["model"]!["vocab"]!.AsObject().Remove("th"));
        Refused("without gaps");
    }

    [Theory]
    [InlineData("/model/vocab/ab", "the token 'ab' (id ")]
    [InlineData("/model/vocab/\u4F60", "")]
    public void Load_OfACharFile_ChecksTheCharacters(string path, string message)
    {
        CharTokenizer.Train("abcd efgh"u8).Save(folder);
        int size = TokenizerFolder.Load(folder).EndOfText;
        Set(path, $"{size}");
        for (int i = 0; i < 3; i++)
            Set($"/added_tokens/{i}/id", $"{size + 1 + i}");
        if (message.Length == 0)
            Assert.Equal([size], TokenizerFolder.Load(folder).Encode("\u4F60"));
        else
            Refused(message);
    }

    [Fact]
    public void Load_OfOtherWords_IsRefused()
    {
        CharTokenizer.Train(""u8).Save(folder);
        Set("/pre_tokenizer", """{"type": "Whitespace"}""");
        Refused("WordLevel model is Whitespace");
        WordTokenizer.Train([], 8).Save(folder);
        Set("/added_tokens/1/content", "\"</s>\"");
        Refused("the added tokens are <|endoftext|> = 5, </s> = 6, <|im_end|> = 7");
        WordTokenizer.Train([], 8).Save(folder);
        Edit(root => (root["model"]!["vocab"]!["user"], root["model"]!["vocab"]!["<|unknown|>"]) = (4, 1));
        Refused("not <|unknown|>");
    }

    [Fact]
    public void Hash_IsOfTheFile_AndTellsTokenizersApart()
    {
        var tokenizers = (Tokenizer[])[new ByteTokenizer(), CharTokenizer.Train(""u8), CharTokenizer.Train("x"u8),
            WordTokenizer.Train([], 8)];
        Assert.Equal(tokenizers.Length, tokenizers.Select(t => t.Hash).Distinct().Count());
        tokenizers[0].Save(folder);
        Assert.Equal(
            Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(
                    File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")))),
            tokenizers[0].Hash);
    }

    private void Refused(string message)
    {
        var e = Assert.Throws<TinyLlmException>(() => TokenizerFolder.Load(folder));
        Assert.Contains(message, e.Message);
        Assert.Contains("tokenizer.json", e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    private void Edit(Action<JsonNode> change)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        var root = JsonNode.Parse(File.ReadAllText(path))!;
        change(root);
        File.WriteAllText(path, root.ToJsonString());
    }

    /// <summary>Replaces the value at a path such as /model/vocab/a.</summary>
    private void Set(string path, string json) => Edit(root =>
    {
        string[] steps = path.Split('/')[1..];
        foreach (string step in steps[..^1])
            root = root is JsonArray array ? array[int.Parse(step)]! : root[step]!;
        root[steps[^1]] = JsonNode.Parse(json);
    });
}
