using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>Microsoft.ML.Tokenizers as it comes, with the pattern as a compiled regular expression.</summary>
internal sealed class MicrosoftEncoder : IEncoder
{
    private readonly BpeTokenizer tokenizer;

    public MicrosoftEncoder(string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        var model = json.RootElement.GetProperty("model");
        string pattern = json.RootElement.GetProperty("pre_tokenizer").GetProperty("pretokenizers")[0]
            .GetProperty("pattern").GetProperty("Regex").GetString()!;
        tokenizer = BpeTokenizer.Create(
            new BpeOptions(
                model.GetProperty("vocab").EnumerateObject()
                .Select(token => KeyValuePair.Create(token.Name, token.Value.GetInt32())))
        {
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(merge => merge.GetString()!)],
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(pattern, RegexOptions.Compiled), null),
        });
    }

    public string Name => "Microsoft.ML.Tokenizers 2.0.1, 1 thread";

    public Encoded Encode(Slice slice)
    {
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<int>[] ids = [.. slice.Texts.Select(text => tokenizer.EncodeToIds(text))];
        return Encoded.Of(Stopwatch.GetElapsedTime(start).TotalSeconds, ids);
    }

    public void Dispose()
    {
    }
}
