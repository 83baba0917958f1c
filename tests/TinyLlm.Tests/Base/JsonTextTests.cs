using System.Text;
using System.Text.Json;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>JSON nested as deep as files of others are.</summary>
public class JsonTextTests
{
    private const string TooDeep = "nested deeper than 1,000 levels";

    [Fact]
    public void ADepthOfAThousand_IsRead_AndMoreIsCalledThat()
    {
        using (var document = JsonText.Parse(Encoding.UTF8.GetBytes(Nested(JsonText.MaxDepth))))
            Assert.Equal(JsonValueKind.Array, document.RootElement.ValueKind);
        byte[] deeper = Encoding.UTF8.GetBytes(Nested(JsonText.MaxDepth + 1));
        var error = Assert.ThrowsAny<JsonException>(() => JsonText.Parse(deeper));
        Assert.Contains(TooDeep, error.Message, StringComparison.Ordinal);
        Assert.Contains(TooDeep, JsonText.Fault(error), StringComparison.Ordinal);
        Assert.Contains(TooDeep, Assert.ThrowsAny<JsonException>(() =>
            JsonText.Parse(new MemoryStream(deeper))).Message, StringComparison.Ordinal);
        Assert.Equal("no valid JSON at line 2, byte 3", JsonText.Fault(Assert.ThrowsAny<JsonException>(() =>
            JsonText.Parse("[1,\n2 x]"u8.ToArray()))));
    }

    [Fact]
    public void Rows_ComparisonsAndDocuments_AreReadAtAnyDepthOfOthersFields()
    {
        using var folder = new TemporaryFolder();
        string deep = Nested(JsonText.MaxDepth - 1), deeper = Nested(JsonText.MaxDepth);
        foreach (string form in (string[])["\"question\":\"q\",\"answer\":\"a\"",
            "\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"",
            "\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":0", "\"text\":\"q\""])
        {
            string good = folder.Write("good.jsonl", $"{{{form},\"schema\":{deep}}}\n"),
                bad = folder.Write("bad.jsonl", $"{{{form},\"schema\":{deeper}}}\n");
            Read(form, good);
            UserError.Expect(() => Read(form, bad), "bad.jsonl, line 1: ", TooDeep);
        }
    }

    private static void Read(string form, string path)
    {
        if (form.Contains("chosen", StringComparison.Ordinal))
            Assert.Single(PreferenceRows.Read(path).Pairs);
        else if (form.Contains("choices", StringComparison.Ordinal))
            Assert.Single(ChoiceRows.Read(path));
        else if (form.Contains("answer", StringComparison.Ordinal))
            Assert.Single(ChatRows.Read(path));
        else
            Assert.Equal(["q"], SourceReading.Texts(path, new SourceOptions(Strict: true)));
    }

    private static string Nested(int levels) => new string('[', levels) + new string(']', levels);
}
