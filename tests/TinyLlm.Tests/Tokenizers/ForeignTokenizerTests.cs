using System.Text;
using System.Text.Json.Nodes;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

/// <summary>Tokenizers of other programs, with the ids that those give (scripts/make-tokenizer-golden).</summary>
public sealed class ForeignTokenizerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tinyllm-foreign-").FullName;

    public static TheoryData<string> All =>
        ["gpt2", "llama3", "qwen", "o200k-form", "pythia", "text-tokens", "cl100k", "o200k"];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(All))]
    public void Encode_GivesTheIdsOfTheOthers(string name)
    {
        var tokenizer = Open(name);
        var pairs = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden(name), "pairs.json")))!.AsArray();
        Assert.True(pairs.Count >= 20, $"only {pairs.Count} pairs");
        foreach (var pair in pairs)
        {
            byte[] text = Encoding.UTF8.GetBytes(pair!["text"]!.GetValue<string>());
            int[] ids = [.. pair["ids"]!.AsArray().Select(id => id!.GetValue<int>())];
            Assert.Equal(ids, tokenizer.Encode(text, allowSpecial: true));
            if (tokenizer is not ByteLevelBpeTokenizer { Normalizes: true })
                Assert.Equal(text, tokenizer.Decode(ids));

            // Without leave, the same ids but for added tokens.
            int[] plain = tokenizer.Encode(text);
            Assert.All(plain, id => Assert.True(tokenizer.IsText(id)));
            if (ids.All(tokenizer.IsText))
                Assert.Equal(ids, plain);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Load_OfWhatSaveWrote_GivesTheSameTokenizer(string name)
    {
        var tokenizer = Open(name);
        tokenizer.Save(folder);
        var loaded = TokenizerFolder.Load(folder);
        Assert.Equal(tokenizer.Hash, loaded.Hash);
        Assert.Equal(
            (tokenizer.VocabularySize, tokenizer.EndOfText, tokenizer.DocumentStart),
            (loaded.VocabularySize, loaded.EndOfText, loaded.DocumentStart));
        Assert.Equal(tokenizer.AddedTokens.Items, loaded.AddedTokens.Items);
        for (int seed = 0; seed < 100; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 60, withInvalid: true);
            Assert.Equal(tokenizer.Encode(text), loaded.Encode(text));
            Assert.Equal(tokenizer.Encode(text, allowSpecial: true), loaded.Encode(text, allowSpecial: true));
        }
    }

    [Fact]
    public void AddedTokens_AreTheTokenizersOwn()
    {
        var gpt2 = Open("gpt2");
        Assert.Equal((601, 600, 600, false), (gpt2.VocabularySize, gpt2.EndOfText, gpt2.DocumentStart, gpt2.HasTurns));
        Assert.Equal([600], gpt2.AddedTokens.Ends);
        UserError.Expect(
            () => _ = gpt2.TurnStart, "no token <|im_start|>", "use a model with a tokenizer that has them");

        var llama = Open("llama3");
        Assert.Equal(
            (606, 603, 602, false), (llama.VocabularySize, llama.EndOfText, llama.DocumentStart, llama.HasTurns));
        Assert.Equal([603, 605], llama.AddedTokens.Ends);
        Assert.False(llama.EndsText(602));

        var qwen = Open("qwen");
        Assert.Equal((600, 601, 602), (qwen.EndOfText, qwen.TurnStart, qwen.TurnEnd));
        Assert.Equal([600, 602], qwen.AddedTokens.Ends);
        Assert.Equal([true, true], qwen.AddedTokens.Items.Where(t => !t.IsSpecial).Select(t => qwen.IsText(t.Id)));
    }

    [Theory]
    [InlineData("cl100k", 100257, 100277, 100278, 100256)]
    [InlineData("o200k", 199999, 200019, 200020, 200000)]
    public void ReadyVocabularies_KeepThePublishedIds(
        string name, int endOfText, int turnStart, int turnEnd, int unused)
    {
        var tokenizer = Open(name);
        Assert.Equal(
            (endOfText, turnStart, turnEnd, turnEnd + 1),
            (tokenizer.EndOfText, tokenizer.TurnStart, tokenizer.TurnEnd, tokenizer.VocabularySize));
        Assert.True(
            tokenizer.EndsText(unused) && tokenizer.EndsText(endOfText) && tokenizer.EndsText(turnEnd)
            && tokenizer.EndsText(turnEnd + 1));
        Assert.False(
            tokenizer.EndsText(unused - 1000) || tokenizer.IsText(unused) || tokenizer.IsText(turnEnd + 1)
            || tokenizer.IsText(-1));
        Assert.True(tokenizer.IsText(0));
    }

    // The packages' own encoder, which sees letters beyond U+FFFF as punctuation.
    [Theory]
    [InlineData("cl100k")]
    [InlineData("o200k")]
    public void Encode_AgreesWithMicrosoftsLibrary(string name)
    {
        var library = Microsoft.ML.Tokenizers.TiktokenTokenizer.CreateForEncoding(name + "_base");
        var tokenizer = Open(name);
        int compared = 0;
        for (int seed = 0; seed < 2000; seed++)
        {
            string text = Encoding.UTF8.GetString(TextSamples.Random(new Random(seed), 50, withInvalid: false))
                .Replace("<|", "<", StringComparison.Ordinal);
            if (text.EnumerateRunes().Any(r => !r.IsBmp && Rune.IsLetterOrDigit(r)))
                continue;
            compared++;
            Assert.Equal(library.EncodeToIds(text), tokenizer.Encode(text));
        }

        Assert.True(compared > 500, $"only {compared} texts");
    }

    [Fact]
    public void Load_TakesTheEndOfText_FromTheConfiguration()
    {
        Edit("qwen", root => root["added_tokens"]![0]!["content"] = "</s>");
        UserError.Expect(() => TokenizerFolder.Load(folder), "no added token ends a text", "eos_token");
        foreach (string json in (string[])["{\"eos_token\": \"</s>\"}", "{\"eos_token\": {\"content\": \"</s>\"}}"])
        {
            File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), json);
            Assert.Equal(600, TokenizerFolder.Load(folder).EndOfText);
        }

        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), "{");
        UserError.Expect(() => TokenizerFolder.Load(folder), "tokenizer_config.json is not valid JSON");
    }

    [Fact]
    public void Load_TakesAModelWithoutType_AsOldFilesHaveIt()
    {
        Edit("llama3", root => root["model"]!.AsObject().Remove("type"));
        Assert.Equal(Open("llama3").Encode("the quick zebra"), TokenizerFolder.Load(folder).Encode("the quick zebra"));
    }

    /// <summary>What stands behind a text, and around a pair, is kept as what stands before it.</summary>
    [Theory]
    [InlineData("<|begin_of_text|> A <|eot_id|>", "<|begin_of_text|> A:0 <|end_of_text|>:0 B:1 <|eot_id|>:1", 602)]
    [InlineData("A <|end_of_text|>", "A <|end_of_text|> B:1 <|end_of_text|>:1", 603)]
    [InlineData("<|end_of_text|> A", "<|end_of_text|> A B", 603)]
    [InlineData("A", "A B", 603)]
    public void Save_KeepsWhatThePostProcessorPutsAroundAText(string single, string pair, int start)
    {
        JsonObject processor = Processor(single, pair);
        Edit("llama3", root => root["post_processor"]!["processors"]![1] = processor.DeepClone());
        var tokenizer = TokenizerFolder.Load(folder);
        Assert.Equal((603, start), (tokenizer.EndOfText, tokenizer.DocumentStart));
        Assert.Equal(start == 602 ? 602 : null, tokenizer.BeginOfText);
        string saved = Path.Combine(folder, "out");
        tokenizer.Save(saved);
        var written = JsonNode.Parse(File.ReadAllText(Path.Combine(saved, "tokenizer.json")))!["post_processor"];
        Assert.True(JsonNode.DeepEquals(processor, written), $"{written}");
        Assert.Equal(tokenizer.Hash, TokenizerFolder.Load(saved).Hash);
    }

    [Theory]
    [InlineData("<|begin_of_text|> <|eot_id|> A", "A B", "puts 2 tokens before a text")]
    [InlineData("<|begin_of_text|>", "A B", "no text between its tokens")]
    [InlineData("A B", "A B", "Sequence 'B'")]
    [InlineData("A <|missing|>", "A B", "puts '<|missing|>' behind a text")]
    public void Load_OfAnotherTemplate_IsRefused(string single, string pair, string message)
    {
        Edit("llama3", root => root["post_processor"]!["processors"]![1] = Processor(single, pair));
        UserError.Expect(() => TokenizerFolder.Load(folder), message, "tokenizer.json");
        Edit("llama3", root => root["post_processor"]!["processors"]!.AsArray().Add(Processor("A", "A B")));
        UserError.Expect(() => TokenizerFolder.Load(folder), "two TemplateProcessing", "tokenizer.json");
    }

    public static TheoryData<string, string, string, string> Damages => new()
    {
        { "llama3", "/model/type", "\"Unigram\"", "model type is Unigram" },
        { "llama3", "/model/type", "\"WordPiece\"", "model type is WordPiece" },
        { "llama3", "/model/byte_fallback", "true", "model.byte_fallback is true" },
        { "llama3", "/pre_tokenizer", """{"type": "Metaspace", "replacement": "x"}""", "pre-tokenizer is Metaspace" },
        { "llama3", "/pre_tokenizer/pretokenizers/0", """{"type": "Digits", "individual_digits": true}""", "pre-tokenizer is Digits + ByteLevel" },
        { "llama3", "/pre_tokenizer/pretokenizers/1/add_prefix_space", "true", "add_prefix_space" },
        { "llama3", "/pre_tokenizer/pretokenizers/1/use_regex", "true", "use_regex behind a Split" },
        { "llama3", "/post_processor", """{"type": "BertProcessing"}""", "post-processor is BertProcessing" },
        { "llama3", "/post_processor/processors/1/special_tokens/<|begin_of_text|>/ids", "[7]",
            "puts '<|begin_of_text|>' before a text" },
        { "llama3", "/normalizer", """{"type": "NFKC"}""", "normalizer is NFKC" },
        { "llama3", "/normalizer", """{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}""", "normalizer is NFC + Lowercase" },
        { "llama3", "/added_tokens/1/id", "604", "share id 604" },
        { "llama3", "/added_tokens/3/id", "700", "no token has id 605, but the largest is 700" },
        { "llama3", "/added_tokens/1/content", "\"<|begin_of_text|>\"", "occurs twice" },
        { "llama3", "/added_tokens/1/lstrip", "true", "has lstrip" },
        { "llama3", "/added_tokens/1/content", "\"\u0120the\"",
            "has id 603; expected the id that it has in model.vocab" },
        { "qwen", "/model/vocab/the", "1", "share id 1" },
        { "qwen", "/model/vocab/the", "2000000000", "without gaps" },
        { "qwen", "/model/merges", """["t zz"]""", "merge 0 is 't zz'" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Load_OfWhatWouldGiveOtherIds_IsRefused(string name, string path, string json, string message)
    {
        Edit(name, root =>
        {
            string[] steps = path.Split('/')[1..];
            foreach (string step in steps[..^1])
                root = root is JsonArray array ? array[int.Parse(step)]! : root[step]!;
            if (root is JsonArray list)
                list[int.Parse(steps[^1])] = JsonNode.Parse(json);
            else
                root[steps[^1]] = JsonNode.Parse(json);
        });
        UserError.Expect(() => TokenizerFolder.Load(folder), message, "tokenizer.json");
    }

    [Theory]
    [InlineData("vocab.json", null, "but no vocab.json")]
    [InlineData("merges.txt", null, "but no merges.txt")]
    [InlineData("vocab.json", "{", "vocab.json: no valid JSON")]
    [InlineData("vocab.json", "[]", "wrong type")]
    [InlineData("vocab.json", "{\"a\": 0.5}", "wrong type")]
    [InlineData("vocab.json", "{\"a\": 0}", "there is no <|endoftext|>")]
    [InlineData("vocab.json", "{\"a\": 0, \"a\": 1}", "'a' occurs twice")]
    [InlineData("vocab.json", "{\"a\": 0, \"b\": 0, \"<|endoftext|>\": 2}", "no gaps or duplicates")]
    [InlineData("vocab.json", "{\"a\": 0, \"b\": 5, \"<|endoftext|>\": 2}", "'b' has id 5")]
    [InlineData("vocab.json", "{\"a\": 0, \"<|endoftext|>\": 1}", "byte 0x00 has no token")]
    [InlineData("vocab.json", "{\"\u4F60\": 0, \"<|endoftext|>\": 1}", "not in byte-level characters")]
    [InlineData("merges.txt", "#version: 0.2\nt h\nt qq\n", "merge 1 is 't qq'")]
    [InlineData("merges.txt", "t h\nt h\n", "occurs twice")]
    [InlineData("merges.txt", "t h e\n", "merge 0 is 't h e'")]
    public void Load_OfDamagedGpt2Files_IsRefused(string file, string? content, string message)
    {
        foreach (string name in (string[])["vocab.json", "merges.txt"])
            File.Copy(Path.Combine(Golden("gpt2"), name), Path.Combine(folder, name));
        if (content is null)
            File.Delete(Path.Combine(folder, file));
        else
            File.WriteAllText(Path.Combine(folder, file), content);
        UserError.Expect(() => TokenizerFolder.Load(folder), message, file);
    }

    [Fact]
    public void ReadyVocabularies_KnowTheirNames() =>
        UserError.Expect(() => ReadyVocabularies.Load("p50k"), "no ready vocabulary 'p50k'", "cl100k or o200k");

    private static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", name);

    // Parts as NAME or NAME:TYPE.
    private static JsonObject Processor(string single, string pair)
    {
        string[] names = [.. $"{single} {pair}".Split(' ').Select(part => part.Split(':')[0]).Distinct()];
        var tokens = names.Where(name => name.StartsWith('<')).Select(name =>
        {
            int id = Array.IndexOf(["<|begin_of_text|>", "<|end_of_text|>", "", "<|eot_id|>"], name);
            return KeyValuePair.Create(name, (JsonNode?)new JsonObject
            {
                ["id"] = name,
                ["ids"] = new JsonArray(id < 0 ? 7 : 602 + id),
                ["tokens"] = new JsonArray(name),
            });
        });
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = Parts(single),
            ["pair"] = Parts(pair),
            ["special_tokens"] = new JsonObject(tokens),
        };

        static JsonArray Parts(string parts) => [.. parts.Split(' ').Select(part => Part(part.Split(':')))];

        static JsonObject Part(string[] part) => new()
        {
            [part[0].StartsWith('<') ? "SpecialToken" : "Sequence"] =
                new JsonObject { ["id"] = part[0], ["type_id"] = part.Length > 1 ? int.Parse(part[1]) : 0 },
        };
    }

    private static Tokenizer Open(string name) => ReadyVocabularies.Names.Contains(name) ? ReadyVocabularies.Load(name)
        : TokenizerFolder.Load(Golden(name));

    private void Edit(string name, Action<JsonNode> change)
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden(name), "tokenizer.json")))!;
        change(root);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), root.ToJsonString());
    }
}
