using System.Globalization;
using System.Text.RegularExpressions;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>eval of multiple-choice rows, and of several models beside each other.</summary>
public sealed partial class EvalCommandTests(EvalCommandTests.Fixture fixture) : IClassFixture<EvalCommandTests.Fixture>
{
    private readonly SmallRun run = fixture.Run;

    /// <summary>
    /// A model of sentences finds a word of them likelier than noise, and one that has seen nothing does not.
    /// </summary>
    [Fact]
    public void MultipleChoice_IsScoredByLikelihood()
    {
        string text = Eval("--model trained --data choices.jsonl");
        var match = Accuracies().Match(text);
        Assert.True(match.Success, text);
        Assert.Equal(("40", "40"), (match.Groups["all"].Value, match.Groups["allNorm"].Value));
        Assert.InRange(int.Parse(match.Groups["right"].Value, CultureInfo.InvariantCulture), 36, 40);

        // By the chat template, in other batches, on the second of two sources.
        Assert.Matches(Accuracies(), Eval("--model trained --data choices.jsonl --chat"));
        Assert.Equal(text, Eval("--model trained --data choices.jsonl --batch-size 3"));
        Assert.EndsWith(text, Eval("--model trained --data text.txt --data choices.jsonl"), StringComparison.Ordinal);
    }

    [Fact]
    public void RowsLongerThanTheContext_AreCounted()
    {
        run.Folder.Write("some.jsonl", Row("the cat", "on", 0) + Row(new string('x', 80), "on", 1));
        string text = Eval("--model trained --data some.jsonl");
        Assert.Matches(@"some\.jsonl: acc \d of 1, ", text);
        Assert.Contains(
            "some.jsonl: 1 rows are longer than the context of trained, 64 tokens; they are left out\n", text,
            StringComparison.Ordinal);
        run.Folder.Write("long.jsonl", Row(new string('x', 80), "on", 1));
        run.Refuse("eval --model trained --data long.jsonl --threads 1", "None of the 1", "context of 64 tokens");
    }

    [Fact]
    public void WrongRowsAndOptions_AreRefused()
    {
        run.Folder.Write("mixed.jsonl", Row("a", "b", 0) + "{\"question\": \"a\", \"answer\": \"b\"}\n");
        run.Refuse("eval --model trained --data mixed.jsonl --threads 1", "mixed.jsonl, line 2", "\"choices\"");
        run.Folder.Write("other.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n" + Row("a", "b", 0));
        run.Refuse("eval --model trained --data other.jsonl --threads 1", "other.jsonl, line 2", "\"choices\"");
        run.Folder.Write("range.jsonl", Row("a", "b", 3));
        run.Refuse("eval --model trained --data range.jsonl --threads 1", "range.jsonl, line 1", "\"answer\" is 3");
        run.Refuse("eval --model trained --data choices.jsonl --exact-match --threads 1", "--exact-match",
            "choices.jsonl holds no conversations");
        run.Refuse("eval --model trained --data rows.jsonl --chat --threads 1", "--chat",
            "rows.jsonl holds no multiple-choice rows");
        run.Refuse("eval --model trained --compare fresh nowhere --data choices.jsonl --threads 1", "nowhere",
            "no such folder");
    }

    [Fact]
    public void Compare_PutsModelsSideBySide()
    {
        string text =
            Eval("--model fresh --compare trained fresh --data text.txt --data choices.jsonl --data rows.jsonl");
        string[][] tables =
            [.. text.Split("\n\n").Select(table => table.Split('\n', StringSplitOptions.RemoveEmptyEntries))];
        Assert.Equal(["text.txt:", "choices.jsonl:", "rows.jsonl:"], tables.Select(table => table[0]));
        Assert.All(tables,
            table => Assert.Equal(
            ["model", "fresh", "trained", "fresh"], table.Skip(1).Select(line => line.Split(' ')[0])));
        Assert.Equal(tables[0][2], tables[0][4]);

        // The figures of each alone, with intervals that hold them.
        Assert.Equal(
            ["model", "loss", "perplexity", "bits/byte"],
            tables[0][1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var alone = Regex.Match(
            Eval("--model trained --data text.txt"), @"loss (\S+)  perplexity (\S+)  (\S+) bits/byte");
        var figures = Figure().Matches(tables[0][3]);
        Assert.Equal(3, figures.Count);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(alone.Groups[i + 1].Value, figures[i].Groups[1].Value);
            double[] values = [.. Enumerable.Range(1, 3)
                .Select(group => double.Parse(figures[i].Groups[group].Value, CultureInfo.InvariantCulture))];
            Assert.True(
                values[1] < values[0] && values[0] < values[2] && values[2] < 1.5 * values[1], figures[i].Value);
        }

        // Shares: the trained one is better, by an interval without 0; a model does not differ from itself.
        Assert.Matches(@"^model +acc +difference +acc_norm +difference$", tables[1][1]);
        Assert.Matches(@"^fresh +\d[\d.]*% \[\S+, \S+\] +- +\d[\d.]*% \[\S+, \S+\] +-$", tables[1][2]);
        Assert.Matches(@"^trained +[\d.]+% \[\S+, \S+\] +\+\d+\.\d \[\+\d+\.\d, \+\d+\.\d\] ", tables[1][3]);
        Assert.Matches(@"^fresh +.* 0\.0 \[-\d+\.\d, \+\d+\.\d\] .* 0\.0 \[-\d+\.\d, \+\d+\.\d\]$", tables[1][4]);
        Assert.DoesNotContain("NaN", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_CountsExactAnswers()
    {
        string text = Eval("--model fresh --compare trained --data rows.jsonl --exact-match");
        Assert.Matches(@"\nmodel +loss +perplexity +bits/byte +exact match +difference\n", text);
        Assert.Matches(@"\ntrained .*[\d.]+% \[\S+, \S+\]  [+-]?\d+\.\d \[\S+, \S+\]\n", text);

        // One row shows no spread: no interval, and no number that is none.
        run.Folder.Write("one.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n");
        text = Eval("--model fresh --compare trained --data one.jsonl --exact-match");
        Assert.Matches(@"\ntrained +[\d.]+ +[\d.]+ +[\d.]+ +0\.0% \[0\.0, 79\.3\] +0\.0 \[-79\.3, \+79\.3\]\n", text);
    }

    private string Eval(string options) => run.Succeed($"eval {options} --threads 1").Text;

    private static string Row(string context, string right, int answer) =>
        $"{{\"context\": \"{context}\", \"choices\": [\"{right}\", \"qzx\"], \"answer\": {answer}}}\n";

    [GeneratedRegex(
        @"^choices\.jsonl: acc (?<right>\d+) of (?<all>\d+), [\d.]+% \[[\d.]+, [\d.]+\]\nchoices\.jsonl: acc_norm \d+ of (?<allNorm>\d+), [\d.]+% \[[\d.]+, [\d.]+\]\n$")]
    private static partial Regex Accuracies();

    [GeneratedRegex(@"([\d.]+) \[([\d.]+), ([\d.]+)\]")]
    private static partial Regex Figure();

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 4 --sample-every 0 "
                + "--eval-every 0";
            Run.Succeed($"{common} --steps 300 --out trained");
            Run.Succeed($"{common} --steps 1 --out fresh");
            string[] words = ["cat", "sat", "mat", "and", "dog", "red"];
            var random = new Random(8);
            Run.Folder.Write("choices.jsonl", string.Concat(Enumerable.Range(0, 40).Select(i =>
            {
                // The answer is first or last, and of the same length as the noise.
                string word = words[random.Next(words.Length)],
                    noise = new([.. Enumerable.Range(0, 3).Select(_ => "QZXJKV"[random.Next(6)])]);
                return i % 2 == 0
                    ? $"{{\"context\": \"the {words[random.Next(words.Length)]}\", \"choices\": [\"{word}\", "
                        + $"\"{noise}\"], \"answer\": 0}}\n"
                    : $"{{\"question\": \"the {words[random.Next(words.Length)]}\", \"choices\": [\"{noise}\", "
                        + $"\"{word}\"], \"answer\": \"{word}\"}}\n";
            })));
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
