using System.Text;
using System.Text.Json.Nodes;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

/// <summary>
/// Added tokens that are text, and those that are not, whatever their file calls them. Their ids are compared with
/// Hugging Face's in <see cref="ForeignTokenizerTests"/>.
/// </summary>
public sealed class AddedTokensTests : IDisposable
{
    private static readonly string[] hardParts =
    [
        "foo bar", "foo", " bar", "bar ", "a a", "a", " a", "x\ny", "x", "\ny", "\nfoo", "o.\nT", " ", "  ", "\n",
        "caf\u00E9", "cafe\u0301", "\u0301", "one e\u0301", "one ", "\u00E9", "<think>", "<a><b>", "b", "word", " two",
        ".", "\u65E5\u672C",
    ];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>
    /// Text is cut into blocks, pieces and units, and no cut changes a token, wherever an added one may lie.
    /// </summary>
    [Theory]
    [InlineData(1, 60)]
    [InlineData(2, 700)]
    [InlineData(3, 30_000)]
    public void Cuts_ChangeNoToken(int seed, long unitBytes)
    {
        var tokenizer = Open("text-tokens");
        var random = new Random(seed);
        var parts = Enumerable.Range(0, 20_000).Select(_ => hardParts[random.Next(hardParts.Length)]);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(parts));
        var source = SourceReading.Source(folder.Write("a.txt", text));
        int[] whole = [tokenizer.DocumentStart, .. tokenizer.Encode(text), tokenizer.EndOfText];
        Assert.Equal(whole, Ids(tokenizer.Cut));
        Assert.Contains(whole, id => tokenizer.AddedTokens.Find(id)?.Text == "foo bar");

        // Cut where tokenizers without such tokens may be, some are torn.
        Assert.InRange(source.Units(unitBytes, tokenizer.Cut).Count, text.Length / (int)unitBytes, text.Length);
        if (unitBytes < 1000)
            Assert.NotEqual(whole, Ids(null));

        int[] Ids(TextCut? cut)
        {
            var stop = TestContext.Current.CancellationToken;
            var tokens = DocumentEncoder.ToMemory(source.Units(unitBytes, cut), tokenizer, new ReadReport(), stop);
            int[] ids = new int[tokens.Count];
            tokens.Read(0, ids);
            return ids;
        }
    }

    // A block has 64 KiB: here nearly every place lies in a token.
    [Theory]
    [InlineData("a a ", 40_000)]
    [InlineData("foo bar ", 20_000)]
    [InlineData("x\ny\n", 30_000)]
    [InlineData("cafe\u0301 foo bar\nfoo ", 5_000)]
    public void LongTexts_HaveTheTokensOfTheirParts(string part, int count)
    {
        var tokenizer = Open("text-tokens");
        int[] one = tokenizer.Encode(part);
        Assert.Contains(one, id => tokenizer.AddedTokens.IsText(id));
        string text = string.Concat(Enumerable.Repeat(part, count));
        Assert.Equal(Enumerable.Repeat(one, count).SelectMany(ids => ids), tokenizer.Encode(text));
    }

    [Fact]
    public void Cuts_LieInNoAddedToken()
    {
        byte[] text = "the foo bar and foo baz\nx\nyes"u8.ToArray();
        var cut = new TextCut(["foo bar", "baz\nx"]);
        var places = new List<int>();
        for (int place = 0; (place = cut.First(text, place + 1)) > 0;)
            places.Add(place);

        // Not before " bar", nor behind "baz\n"; a text that goes on may yet be one of the tokens.
        Assert.Equal([3, 11, 15, 19, 26], places);
        Assert.Equal(26, cut.Last(text));
        Assert.Equal(3, cut.Last("the foo b"u8));
        Assert.Equal(7, TextCut.Any.Last("the foo b"u8));
        Assert.Equal(16, TextCut.Any.Context);
        Assert.Equal(23, cut.Context);
    }

    [Fact]
    public void TextTokens_AreText()
    {
        var tokenizer = Open("qwen");
        int open = tokenizer.AddedTokens.Find("<tool_call>")!.Value;
        int[] ids = tokenizer.Encode("a<tool_call>b");
        Assert.Equal(3, ids.Length);
        Assert.Equal(open, ids[1]);
        Assert.True(tokenizer.IsText(open) && !tokenizer.EndsText(open));
        Assert.Equal("a<tool_call>b", Encoding.UTF8.GetString(tokenizer.Decode(ids)));

        // A special token is spelt out as before.
        Assert.DoesNotContain(tokenizer.TurnEnd, tokenizer.Encode("<|im_end|>"));
        Assert.Equal([open, tokenizer.TurnEnd], tokenizer.Encode("<tool_call><|im_end|>"u8, allowSpecial: true));
    }

    [Theory]
    [InlineData("<|im_start|>")]
    [InlineData("<|im_end|>")]
    [InlineData("<|endoftext|>")]
    [InlineData("<|eot_id|>")]
    [InlineData("<|start_header_id|>")]
    [InlineData("<\uFF5CUser\uFF5C>")]
    [InlineData("<|assistant|>")]
    [InlineData("[/INST]")]
    [InlineData("<end_of_turn>")]
    [InlineData("<|my_end|>", """{"eos_token": "<|my_end|>"}""")]
    [InlineData("fin", """{"pad_token": {"content": "fin"}}""")]
    [InlineData("<|turn|>", """{"chat_template": "{{ '<|turn|>' + message['role'] }}"}""")]
    [InlineData("<turn>", """{"chat_template": [{"name": "default", "template": "{{ '<turn>' + role }}"}]}""")]
    public void MarksOfChatsAndDocuments_AreNeverFoundInText(string mark, string config = "{}")
    {
        EditAdded("qwen", added =>
        {
            foreach (var token in added)
                token!["special"] = false;
            if (added.All(t => (string)t!["content"]! != mark))
                added.Add(Token(added.Max(t => (int)t!["id"]!) + 1, mark));
        });
        folder.Write("tokenizer_config.json", config);
        var tokenizer = TokenizerFolder.Load(folder.Path);
        int id = tokenizer.AddedTokens.Find(mark)!.Value;
        Assert.False(tokenizer.IsText(id));
        int[] ids = tokenizer.Encode($"say {mark} or <tool_call>");
        Assert.DoesNotContain(id, ids);
        Assert.Equal(tokenizer.AddedTokens.Find("<tool_call>"), ids[^1]);
        Assert.Contains(id, tokenizer.Encode(Encoding.UTF8.GetBytes(mark), allowSpecial: true));

        // Saved, it is still called what it was called, and still no text.
        tokenizer.Save(folder["out"]);
        Assert.Equal(ids, TokenizerFolder.Load(folder["out"]).Encode($"say {mark} or <tool_call>"));
        var saved = JsonNode.Parse(File.ReadAllText(folder["out/tokenizer.json"]))!["added_tokens"]!.AsArray();
        Assert.All(saved, token => Assert.False((bool)token!["special"]!));
    }

    /// <summary>
    /// Qwen3's template writes tags that belong to what is said; they stay text, as spaces and words of the template
    /// do.
    /// </summary>
    [Fact]
    public void WhatATemplateSays_StaysText()
    {
        EditAdded("qwen", added =>
        {
            int id = added.Max(t => (int)t!["id"]!);
            foreach (string text in (string[])["<think>", "</think>", "    ", " in ", "{{", "user"])
                added.Add(Token(++id, text));
        });
        string tags = "'<think>' + message.role + '</think><tool_call></tool_call>'";
        folder.Write("chat_template.jinja", "{% for message in messages %}    {{ " + tags + " }} user {% endfor %}");
        var tokenizer = TokenizerFolder.Load(folder.Path);
        Assert.All(tokenizer.AddedTokens.Items, token => Assert.Equal(!token.IsSpecial, tokenizer.IsText(token.Id)));
    }

    /// <summary>
    /// Which tokens are text is part of the hash, so that tokens that were made otherwise are not taken for these.
    /// </summary>
    [Fact]
    public void Hash_TellsWhichTokensAreText()
    {
        EditAdded("qwen", _ => { });
        string before = TokenizerFolder.Load(folder.Path).Hash;
        folder.Write("tokenizer_config.json", """{"eos_token": "<tool_call>"}""");
        Assert.NotEqual(before, TokenizerFolder.Load(folder.Path).Hash);
        folder.Write("tokenizer_config.json", """{"eos_token": "<|im_end|>"}""");
        Assert.Equal(before, TokenizerFolder.Load(folder.Path).Hash);
    }

    [Fact]
    public void Flags_AreSavedAsTheyWere()
    {
        var tokenizer = Open("text-tokens");
        tokenizer.Save(folder.Path);
        JsonArray before = Added(Golden("text-tokens")), after = Added(folder.Path);
        Assert.True(JsonNode.DeepEquals(before, after), after.ToJsonString());
        Assert.Contains(after, token => (bool)token!["normalized"]! && !(bool)token["special"]!);
    }

    [Fact]
    public void TwoTokensThatAreOneNormalised_AreRefused()
    {
        EditAdded("text-tokens", added =>
            added.Last(t => (string)t!["content"]! == "\nfoo")!["content"] = "one \u00E9");
        UserError.Expect(
            () => TokenizerFolder.Load(folder.Path), "tokenizer.json", "one text under the normalizer", "one \u00E9");
    }

    /// <summary>
    /// An added token may be an ordinary one as well: a word that merges make, which is then found wherever it is
    /// spelt.
    /// </summary>
    [Fact]
    public void AddedTokensThatMergesMake_AreFound_OrRefusedWhereTheyAreMarks()
    {
        int ing = (int)Parse(Golden("qwen"))["model"]!["vocab"]!["ing"]!;
        var token = Token(ing, "ing");
        EditAdded("qwen", added => added.Add(token));
        var tokenizer = TokenizerFolder.Load(folder.Path);
        Assert.Equal(ing, tokenizer.Encode("aingm")[1]);
        tokenizer.Save(folder["out"]);
        const string Text = "ing sing ings ING";
        Assert.Equal(tokenizer.Encode(Text), TokenizerFolder.Load(folder["out"]).Encode(Text));
        EditAdded("qwen", added =>
        {
            var special = token.DeepClone();
            special["special"] = true;
            added.Add(special);
        });
        UserError.Expect(
            () => TokenizerFolder.Load(folder.Path), "tokenizer.json", "a merge makes or takes the added token 'ing'");
    }

    private static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", name);

    private static Tokenizer Open(string name) => TokenizerFolder.Load(Golden(name));

    private static JsonNode Parse(string folder) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;

    private static JsonArray Added(string folder) => Parse(folder)["added_tokens"]!.AsArray();

    private static JsonObject Token(int id, string text) =>
        new() { ["id"] = id, ["content"] = text, ["special"] = false, ["normalized"] = false };

    private void EditAdded(string name, Action<JsonArray> change)
    {
        var root = Parse(Golden(name));
        change(root["added_tokens"]!.AsArray());
        folder.Write("tokenizer.json", root.ToJsonString());
    }
}
