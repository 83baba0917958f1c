using System.Text;
using System.Text.Json;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// A part of the text that no encoder has seen before, in pieces: as bytes, as strings, and as a file for other
/// processes.
/// </summary>
internal sealed record Slice(IReadOnlyList<byte[]> Bytes, IReadOnlyList<string> Texts, string JsonFile)
{
    public long Length => Bytes.Sum(piece => (long)piece.Length);
}

/// <summary>
/// Encoding with one vocabulary, all libraries in turn; in each round all get the same slice of text, one that is new
/// to them.
/// </summary>
internal sealed class EncodingContest(
    string text, TemporaryFolder folder, NpmPackages packages, int threads, int rounds)
{
    private const int PieceBytes = 16 * 1024, LargestSlice = 8_000_000;
    private const double TargetSpeed = 1, TargetScaling = 1.8;

    private sealed record Result(string Model, double Ours, double Spread, double? Peer, double? Ratio);

    /// <summary>Encodes, checks that all ids are the same, and prints a table.</summary>
    public void Run(string tokenizerFolder, int vocabulary, ResultsFile results)
    {
        using var one = new TinyLlmEncoder(tokenizerFolder, 1);
        using var many = new TinyLlmEncoder(tokenizerFolder, threads);
        using var library = new MicrosoftEncoder(tokenizerFolder);
        using var tiktoken = new NpmEncoder(packages, NpmPackages.Tiktoken, tokenizerFolder);
        using var huggingFace = new NpmEncoder(packages, NpmPackages.HuggingFace, tokenizerFolder);
        IEncoder[] encoders = [one, many, library, tiktoken, huggingFace];

        var seconds = encoders.ToDictionary(encoder => encoder, _ => new Sample());
        long bytes = 0, tokens = 0;
        int round = -1; // the first slice is not measured
        foreach (var slice in Slices().Take(rounds + 1))
        {
            var encoded = encoders.Select(encoder => (encoder, encoder.Encode(slice))).ToArray();
            if (encoded.Select(item => (item.Item2.Tokens, item.Item2.Hash)).Distinct().Count() > 1)
            {
                throw new InvalidOperationException(
                    "Different ids: " + string.Join("; ", encoded.Select(item =>
                        $"{item.encoder.Name}: {item.Item2.Tokens} tokens, hash {item.Item2.Hash:X8}")) + ".");
            }

            if (round++ < 0)
                continue;

            bytes += slice.Length;
            tokens += encoded[0].Item2.Tokens;
            foreach (var (encoder, result) in encoded)
                seconds[encoder].Add(result.Seconds / slice.Length);
        }

        Console.WriteLine($"\nencoding with a vocabulary of {vocabulary:N0}; medians of {round} slices of "
            + $"{bytes / (double)round / 1e6:F1} MB in pieces of {PieceBytes / 1024} KiB; {(double)bytes / tokens:F2} "
            + "bytes a token; all ids the same\n");
        var table = new Table(
            "                                       ", "   MB/s", "spread", "times Microsoft's speed");
        foreach (var encoder in encoders)
        {
            double speed = seconds[encoder].SpeedUpOver(seconds[library]);
            table.Add(encoder.Name, $"{1e-6 / seconds[encoder].Median:F1}", $"{seconds[encoder].Spread:P0}",
                Figures.AtLeast(speed, encoder == one ? TargetSpeed : null));
            if (encoder != one)
            {
                results.Add(
                    new Result($"encode: {encoder.Name}", seconds[one].Median, seconds[one].Spread,
                        seconds[encoder].Median, seconds[one].SpeedUpOver(seconds[encoder])));
            }
        }

        Console.WriteLine($"\n{threads} threads over one: "
            + $"{Figures.AtLeast(seconds[many].SpeedUpOver(seconds[one]), threads == 2 ? TargetScaling : null)}");
    }

    private IEnumerable<Slice> Slices()
    {
        long size = Math.Min(LargestSlice, new FileInfo(text).Length / (rounds + 1));
        var pieces = new List<byte[]>();
        long length = 0;
        foreach (var piece in TextPieces.Read(text, PieceBytes))
        {
            pieces.Add(piece.ToArray());
            length += piece.Length;
            if (length < size - PieceBytes)
                continue;

            string[] texts = [.. pieces.Select(Encoding.UTF8.GetString)];
            File.WriteAllBytes(folder["slice.json"], JsonSerializer.SerializeToUtf8Bytes(texts));
            yield return new Slice([.. pieces], texts, folder["slice.json"]);
            pieces.Clear();
            length = 0;
        }
    }
}
