using TinyLlm.Bench.Peers;
using TinyLlm.Bench.Reporting;

namespace TinyLlm.Bench.Decoding;

/// <summary>A model's speed in generation.</summary>
/// <param name="Ours">Tokens a second.</param>
/// <param name="Peer">The same of libtorch.</param>
/// <param name="Share">Of the tokens a second that the memory's bandwidth allows, where each token reads every weight
/// once.</param>
/// <param name="Prefill">Tokens of the long prompt a second.</param>
/// <param name="Int8">Tokens a second with 8-bit weights.</param>
/// <param name="Int8Ratio">The same over <paramref name="Ours"/>.</param>
/// <param name="Batch">Tokens a second of several samples together.</param>
internal sealed record DecodeResult(
    string Model, string Weights, double Ours, double OursSpread, double Peer, double PeerSpread, double Ratio,
    double Bandwidth, long BytesPerToken, double Share, double Prefill, double PeerPrefill, double PrefillRatio,
    double Int8, double Int8Ratio, double Int8Prefill, double Batch, double Int8Batch);

/// <summary>What <c>decode</c> prints of a model.</summary>
internal static class DecodeReport
{
    private const double ShareTarget = 0.85, PrefillTarget = 500, Int8Target = 2.5;

    // The targets are for a model that no cache holds.
    private const string ModelWithTargets = "base";

    public static void Print(
        string model, double bandwidth, long bytesPerToken, DecodeTimes ours, DecodeTimes int8, DecodeTimes theirs,
        ResultsFile results)
    {
        double tokens = 1 / ours.Token.Median, most = bandwidth / bytesPerToken,
            prefill = DecodeContest.LongPrompt / ours.Prompt.Median;
        var result = new DecodeResult(
            model, "fp32", tokens, ours.Token.Spread, 1 / theirs.Token.Median, theirs.Token.Spread,
            ours.Token.SpeedUpOver(theirs.Token),
            bandwidth, bytesPerToken, tokens / most, prefill, DecodeContest.LongPrompt / theirs.Prompt.Median,
            ours.Prompt.SpeedUpOver(theirs.Prompt),
            1 / int8.Token.Median, int8.Token.SpeedUpOver(ours.Token), DecodeContest.LongPrompt / int8.Prompt.Median,
            1 / ours.BatchToken.Median, 1 / int8.BatchToken.Median);

        Console.WriteLine($"memory: {bandwidth / 1e9:F1} GB/s read, {bytesPerToken / 1e6:F0} MB of weights a token: "
            + $"at most {most:F1} tokens/s\n");
        var table = new Table(
            $"{model,-13}", "tokens/s", "spread", "of what the bandwidth allows fp32",
            $"prompt of {DecodeContest.LongPrompt}, tokens/s", "spread", $"{TinyLlmDecoder.Samples} samples, tokens/s");
        Add("TinyLlm fp32", result.Ours, ours, result.Prefill, $"{result.Batch:F0}");
        Add("TinyLlm int8", result.Int8, int8, result.Int8Prefill, $"{result.Int8Batch:F0}");
        Add("libtorch fp32", result.Peer, theirs, result.PeerPrefill, "");
        bool targets = model == ModelWithTargets;
        Console.WriteLine(
            $"\nTinyLlm: {Figures.AtLeast(result.Share, targets ? ShareTarget : null)} of the bandwidth, "
            + $"{result.Ratio:F2} times libtorch's speed; "
            + $"prompt {prefill:F0} tokens/s{(targets ? $" (target {PrefillTarget})" : "")}, {result.PrefillRatio:F2} "
            + "times libtorch's; "
            + $"int8 {Figures.AtLeast(result.Int8Ratio, targets ? Int8Target : null)} times fp32");
        results.Add(result);

        void Add(string side, double tokensPerSecond, DecodeTimes times, double prompt, string batch) =>
            table.Add(side, $"{tokensPerSecond:F1}", $"{times.Token.Spread:P0}", $"{tokensPerSecond / most:P0}",
                $"{prompt:F0}", $"{times.Prompt.Spread:P0}", batch);
    }
}
