using System.Text;
using System.Text.RegularExpressions;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What generate writes, from a model whose text is noise: any byte can come.</summary>
public sealed partial class GenerateCommandTests(GenerateCommandTests.Fixture fixture)
    : IClassFixture<GenerateCommandTests.Fixture>
{
    private static readonly UTF8Encoding Strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly SmallRun run = fixture.Run;

    [Fact]
    public void TheSeed_DecidesTheText()
    {
        string first = Generate("--prompt cat --seed 7 --max-tokens 30");
        Assert.Equal(first, Generate("--prompt cat --seed 7 --max-tokens 30"));
        Assert.Equal(first, Generate("--prompt cat --seed 7 --max-tokens 30 --threads 2"));
        Assert.NotEqual(first, Generate("--prompt cat --seed 8 --max-tokens 30"));

        // Without a seed it is another one every time.
        Assert.NotEqual(Generate("--prompt cat --max-tokens 30"), Generate("--prompt cat --max-tokens 30"));

        // Greedily the seed does not count.
        Assert.Equal(
            Generate("--prompt cat --temperature 0 --seed 1"), Generate("--prompt cat --temperature 0 --seed 2"));
    }

    [Fact]
    public void TheText_BeginsWithThePrompt_AndEndsWithALineBreak()
    {
        string text = Generate("--seed 1 --max-tokens 5", "--prompt", "the caf\u00E9 ");
        Assert.StartsWith("the caf\u00E9 ", text, StringComparison.Ordinal);
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.InRange(Strict.GetByteCount(text), 10, 10 + 5 * 3 + 1);
    }

    [Fact]
    public void Samples_AreSeparated()
    {
        string text = Generate("--prompt cat --seed 7 --count 3 --max-tokens 20");
        string[] samples = text.Split("\n---\n");
        Assert.Equal(3, samples.Length);
        Assert.All(samples, sample => Assert.StartsWith("cat", sample, StringComparison.Ordinal));
        Assert.Equal(3, samples.Distinct().Count());

        // The first is what it would be alone.
        Assert.Equal(Generate("--prompt cat --seed 7 --max-tokens 20"), samples[0] + "\n");
    }

    /// <summary>More samples than go through the model together, some of which end early.</summary>
    [Fact]
    public void Samples_DependNeitherOnTheirNumberNorOnEachOther()
    {
        const string options = "--prompt cat --seed 7 --max-tokens 24 --temperature 1.5 --stop e";
        string[] many = Generate($"{options} --count 19")[..^1].Split("\n---\n"),
            few = Generate($"{options} --count 4 --threads 2")[..^1].Split("\n---\n");
        Assert.Equal((19, 4), (many.Length, few.Length));
        Assert.Equal(many[..4], few);
        Assert.True(many.Select(sample => sample.Length).Distinct().Count() > 3);
    }

    [Fact]
    public void EightBitWeights_WriteText_OnTheCpuAlone()
    {
        string first = Generate("--prompt cat --seed 7 --max-tokens 30 --weights int8");
        Assert.StartsWith("cat", first, StringComparison.Ordinal);
        Assert.InRange(first.Length, 20, 40);
        Assert.Equal(first, Generate("--prompt cat --seed 7 --max-tokens 30 --weights int8 --device cpu --threads 2"));
        Assert.Equal(
            first[..^1],
            Generate("--prompt cat --seed 7 --max-tokens 30 --weights int8 --count 3").Split("\n---\n")[0]);
        Assert.Equal(
            Generate("--prompt cat --seed 7 --max-tokens 30"),
            Generate("--prompt cat --seed 7 --max-tokens 30 --weights fp32"));

        // Before the model is looked at.
        foreach (string command in new[] { "generate --prompt cat", "eval --data text.txt" })
        {
            run.Refuse($"{command} --model nowhere --device simulated --weights int8", "--weights int8",
                "--device simulated", "--device cpu");
        }
    }

    [Fact]
    public void AStopText_EndsTheSampleBeforeIt()
    {
        string whole = Generate("--prompt cat --seed 3 --max-tokens 60 --top-k 20")["cat".Length..^1];
        string stop = AsciiPair().Match(whole, 8).Value;
        Assert.Equal(2, stop.Length);
        int place = whole.IndexOf(stop, StringComparison.Ordinal);

        Assert.Equal(
            "cat" + whole[..place] + "\n",
            Generate("--prompt cat --seed 3 --max-tokens 60 --top-k 20", "--stop", stop));
        Assert.Equal(
            "cat" + whole[..place] + "\n",
            Generate("--prompt cat --seed 3 --max-tokens 60 --top-k 20", "--stop", "nowhere in the text", "--stop",
                stop));
    }

    [Fact]
    public void ThePrompt_ComesFromStandardInput_WithoutItsLastLineBreak()
    {
        string expected = Generate("--seed 5 --max-tokens 10", "--prompt", "two lines\nof");
        Assert.Equal(expected, Generate(Strict.GetBytes("two lines\nof"), "--seed 5 --max-tokens 10"));
        Assert.Equal(expected, Generate(Strict.GetBytes("two lines\nof\n"), "--seed 5 --max-tokens 10"));
        Assert.Equal(expected, Generate(Strict.GetBytes("two lines\nof\r\n"), "--seed 5 --max-tokens 10"));

        // No prompt at all: a text from its beginning.
        Assert.Equal(Generate("--seed 5 --max-tokens 10"), Generate("--seed 5 --max-tokens 10", "--prompt", ""));
    }

    [Theory]
    [InlineData(new byte[] { 0x61, 0xFF, 0xFE, 0x62 })]
    [InlineData(new byte[] { 0x61, 0xE2, 0x82 })]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0x00, 0x1B })]
    public void AnyBytes_AreAPrompt_AndTheOutputIsValidUtf8(byte[] prompt)
    {
        Generate(prompt, "--seed 5 --max-tokens 20");
        Generate(prompt, "--seed 5 --max-tokens 20 --chat", "long");
    }

    [Fact]
    public void Text_GoesOnBeyondTheContext()
    {
        // 16 tokens of context. Special tokens end a text; with a byte's tokens alone, 100 come.
        string text = Generate("--prompt cat --temperature 0 --max-tokens 100 --repetition-penalty 1.3");
        Assert.InRange(text.Length, 60, 110);

    }

    [Fact]
    public void APromptLongerThanTheContext_IsSaid_WithHowManyTokensAreLeftOut()
    {
        // A token a byte, and the one that begins a text.
        foreach (var (letters, leftOut) in new[] { (15, 0), (16, 1), (260, 245) })
        {
            string prompt = string.Concat(Enumerable.Repeat("the cat sat. ", 20))[..letters];
            var result = run.CommandLine.Run(Command("--seed 1 --max-tokens 4"), "--prompt", prompt);
            Assert.Equal(0, result.ExitCode);
            Assert.StartsWith(prompt, result.Text, StringComparison.Ordinal);
            string said = $"The prompt takes {letters + 1} tokens, its start included, "
                + $"and the model's context is 16: the first {leftOut} tokens are left out.";
            Assert.Equal(leftOut == 0 ? [] : [said], result.ErrorLines);
        }
    }

    [Fact]
    public void AQuestionLongerThanTheContext_IsRefused()
    {
        run.Refuse("generate --model long --threads 1 --chat --prompt " + new string('x', 64),
            "--chat: the question takes 83 of the 64 tokens of the model's context", "expected fewer");
        run.Refuse("generate --model long --threads 1 --chat --prompt " + new string('x', 45),
            "takes 64 of the 64 tokens");
        run.Succeed("generate --model long --threads 1 --chat --max-tokens 4 --prompt " + new string('x', 44));
    }

    [Fact]
    public void Settings_OfTheSampler_ChangeTheText()
    {
        string plain = Generate("--prompt cat --seed 2 --max-tokens 40");
        foreach (string setting in new[] { "--top-k 2", "--top-p 0.1", "--min-p 0.9", "--temperature 0.1" })
            Assert.NotEqual(plain, Generate($"--prompt cat --seed 2 --max-tokens 40 {setting}"));

        // One candidate is the likeliest.
        Assert.Equal(
            Generate("--prompt cat --temperature 0 --max-tokens 40"),
            Generate("--prompt cat --top-k 1 --seed 9 --max-tokens 40"));
    }

    [Fact]
    public void Chat_AnswersWithoutThePrompt()
    {
        string answer = Generate("--chat --seed 1 --max-tokens 12 --model long", "--prompt", "What is this?");
        Assert.DoesNotContain("What is this?", answer, StringComparison.Ordinal);
        Assert.Equal(answer, Generate(Strict.GetBytes("What is this?\n"), "--chat --seed 1 --max-tokens 12", "long"));
    }

    [Fact]
    public void ACheckpoint_TheBestAndTheRun_AreModels()
    {
        foreach (string folder in new[] { "base", "base/", "base/best", run.Checkpoint("base")! })
            run.Succeed($"generate --model {folder} --prompt a --max-tokens 2 --threads 1");
    }

    private string Generate(string options, params string[] more) => Check(run.CommandLine.Run(Command(options), more));

    private string Generate(byte[] input, string options, string model = "base") =>
        Check(run.CommandLine.Run(input, Command(options, model)));

    private static string Command(string options, string model = "base")
    {
        string folder = options.Contains("--model", StringComparison.Ordinal) ? "" : $"--model {model} ";
        string threads = options.Contains("--threads", StringComparison.Ordinal) ? "" : " --threads 1";
        return $"generate {folder}{options}{threads}";
    }

    private static string Check(CommandResult result)
    {
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("", result.Error);
        return Strict.GetString(result.Output);
    }

    // A byte that is no character is written as U+FFFD, which no stop text can name.
    [GeneratedRegex("[!-~]{2}")]
    private static partial Regex AsciiPair();

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"{SmallRun.Pretrain} --steps 40 --out base");
            Run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 2 "
                + "--sample-every 0 --out long");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
