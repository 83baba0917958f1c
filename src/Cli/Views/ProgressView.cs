using System.Globalization;
using Spectre.Console;
using TinyLlm.Cli.Terminal;
using TinyLlm.Training;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Cli;

/// <summary>
/// Shows a run on stderr: a live line with bar, loss, speed and time left on a terminal, plain lines elsewhere; and in
/// both a line for each evaluation and each sample.
/// </summary>
internal sealed class ProgressView
{
    private const int HeadingIndent = 11, SampleIndent = 2;

    private readonly IAnsiConsole console = ErrorConsole.Open();
    private readonly FieldLine live = new(), evaluations = new(), rewarded = new();
    private StatusLine? status;
    private int total, plainEvery, first;
    private double lastLoss;
    private System.Diagnostics.Stopwatch clock = new();

    /// <summary>A line of the heading: a name and what it says.</summary>
    public void Heading(string name, string text)
    {
        // The name goes apart, for its colour.
        string start = $"  {name,-8} ";
        string[] lines = [.. TextWrap.Lines(start + text, ErrorConsole.Width, HeadingIndent)];
        int length = Math.Min(start.Length, lines[0].Length);
        console.MarkupLineInterpolated($"[grey]{lines[0][..length]}[/]{lines[0][length..]}");
        foreach (string line in lines.Skip(1))
            console.WriteLine(line);
    }

    /// <summary>A free line.</summary>
    public void Line(string text) => Above(() =>
    {
        foreach (string line in TextWrap.Message(text, Launcher.Command, ErrorConsole.Width))
            console.WriteLine(line);
    });

    /// <summary>Runs the loop inside the display.</summary>
    /// <param name="done">Steps done before.</param>
    /// <param name="steps">Steps of the whole run.</param>
    /// <param name="loop">The work.</param>
    public TrainerResult Run(int done, int steps, Func<TrainerResult> loop)
    {
        (first, total, plainEvery) = (done, steps, Math.Max(1, steps / 40));
        clock = System.Diagnostics.Stopwatch.StartNew();
        using var line = new StatusLine(first: TimeSpan.Zero);
        status = line;
        return loop();
    }

    /// <summary>A step is done.</summary>
    public void Stepped(int step, double loss, double tokensPerSecond)
    {
        // A running mean: single batches jump.
        lastLoss = lastLoss == 0 ? loss : 0.9 * lastLoss + 0.1 * loss;
        if (ErrorConsole.IsLive)
        {
            Field done = new($"step {step}/{total}"), running = new(Text($"loss {lastLoss:F3}"), 1);
            Field speed = Speed(tokensPerSecond, 3), left = new($"{Left(step)} left", 2);
            status?.ShowBar((double)step / total, room => live.Fit(room, done, running, speed, left));
        }
        else if (step % plainEvery == 0 || step == first + 1)
        {
            Line(Text($"step {step,6}/{total}  loss {lastLoss:F4}  {tokensPerSecond:N0} tokens/s  {Left(step)} left"));
        }
    }

    /// <summary>An evaluation is done.</summary>
    public void Evaluated(StepReport report)
    {
        var e = report.Evaluation!;
        int digits = $"{total}".Length, width = ErrorConsole.Width;
        Field step = new($"step {report.Step,6}/{total}", $"step {$"{report.Step}".PadLeft(digits)}/{total}", 0);
        Field rate = new($"lr {NumberText.Short(report.LearningRate)}", 2);
        if (e.Rewards is { } rewards)
        {
            Field reward = new(Text($"reward {Reward(report.Rewards ?? default)}"));
            Field held = new(Text($"validation reward {Reward(rewards)}"), Text($"val {Reward(rewards)}"), 0);
            Field cut = new($"{rewards.Truncated} of {rewards.Samples} answers too long",
                $"{rewards.Truncated}/{rewards.Samples} too long", 1);
            Line(rewarded.Fit(width, step, reward, held, cut, rate));
            return;
        }

        Field loss = new(Text($"loss {lastLoss:F4}"));
        Field validation = new(Text($"validation loss {e.Loss:F4}"), Text($"val {e.Loss:F4}"), 0);
        Field speed = Speed(report.TokensPerSecond, 3);
        if (e.Preferences is not { } p)
        {
            Field bits = e.Unknown > 0
                ? new(Text($"- bits/byte ({e.Unknown:N0} unknown)"), "- bits/byte", 1)
                : new(Text($"{e.BitsPerByte:F3} bits/byte"), 1);
            Line(evaluations.Fit(width, step, loss, validation, bits, rate, speed));
            return;
        }

        double ahead = 100.0 * p.Right / p.Pairs;
        Field margin = new(Text($"margin {p.Margin / p.Pairs:F3}"), 1);
        Field right = new(Text($"chosen ahead {ahead:F1}%"), Text($"ahead {ahead:F1}%"), 1);
        Line(evaluations.Fit(width, step, loss, validation, margin, right, rate, speed));
    }

    private static string Reward(RewardFigures rewards) =>
        rewards.Ended > 0 ? rewards.Mean.ToString("F3", CultureInfo.InvariantCulture) : "none";

    /// <summary>A sample of the model's text.</summary>
    public void Sample(int step, string text) => Above(() =>
    {
        console.MarkupLineInterpolated($"[grey]sample at step {step}:[/]");
        foreach (string line in text.Trim().Split('\n'))
        {
            foreach (string part in TextWrap.Lines(
                "  " + Printable(line), ErrorConsole.Width, SampleIndent, breakWords: true))
                console.MarkupLineInterpolated($"[italic]{part}[/]");
        }
    });

    /// <summary>A time for people, such as 2m05s.</summary>
    public static string Time(double seconds) => seconds < 60
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:F0}s")
        : seconds < 3600 ? $"{(int)seconds / 60}m{(int)seconds % 60:D2}s"
            : $"{(int)seconds / 3600}h{(int)seconds / 60 % 60:D2}m";

    // An untrained model writes any character: a control character could move the cursor or change the terminal.
    private static string Printable(string line) =>
        new(line.TrimEnd().Select(c => c == '\t' ? ' ' : char.IsControl(c) ? '\uFFFD' : c).ToArray());

    private static Field Speed(double tokensPerSecond, int rank) => new(Text($"{tokensPerSecond:N0} tokens/s"), rank);

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private void Above(Action write)
    {
        if (status is null)
            write();
        else
            status.Above(write);
    }

    private string Left(int step) => Time(clock.Elapsed.TotalSeconds / (step - first) * (total - step));
}
