using System.Globalization;
using Spectre.Console;
using TinyLlm.Training;
using TinyLlm.Training.Objectives;

namespace TinyLlm.Cli;

/// <summary>
/// Shows a run on stderr: a live line with bar, loss, speed and time left on a terminal, plain lines elsewhere; and in both a line for each
/// evaluation and each sample.
/// </summary>
internal sealed class ProgressView
{
    private readonly bool live = ErrorConsole.IsLive;
    private readonly IAnsiConsole console = ErrorConsole.Open();
    private ProgressTask? task;
    private int total, plainEvery, first;
    private double lastLoss, speed;
    private System.Diagnostics.Stopwatch clock = new();

    /// <summary>A line of the heading: a name and what it says.</summary>
    public void Heading(string name, string text) => console.MarkupLineInterpolated($"  [grey]{name,-8}[/] {text}");

    /// <summary>A free line.</summary>
    public void Line(string text) => console.WriteLine(text);

    /// <summary>Runs the loop inside the display.</summary>
    /// <param name="done">Steps done before.</param>
    /// <param name="steps">Steps of the whole run.</param>
    /// <param name="loop">The work.</param>
    public TrainerResult Run(int done, int steps, Func<TrainerResult> loop)
    {
        (first, total, plainEvery) = (done, steps, Math.Max(1, steps / 40));
        clock = System.Diagnostics.Stopwatch.StartNew();
        if (!live)
            return loop();
        return console.Progress().HideCompleted(true)
            .Columns(new ProgressBarColumn { Width = 24 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                task = context.AddTask("starting", maxValue: steps);
                task.Value = done;
                return loop();
            });
    }

    /// <summary>A step is done.</summary>
    public void Stepped(int step, double loss, double tokensPerSecond)
    {
        // A running mean: single batches jump.
        lastLoss = lastLoss == 0 ? loss : 0.9 * lastLoss + 0.1 * loss;
        speed = tokensPerSecond;
        if (live && task is not null)
        {
            task.Value = step;
            if (step % 4 == 0 || step == total)
                task.Description = string.Create(CultureInfo.InvariantCulture, $"step {step}/{total}  loss {lastLoss:F3}  {speed:N0} tokens/s  {Left(step)} left");
        }
        else if (step % plainEvery == 0 || step == first + 1)
        {
            Line(string.Create(CultureInfo.InvariantCulture, $"step {step,6}/{total}  loss {lastLoss:F4}  {speed:N0} tokens/s  {Left(step)} left"));
        }
    }

    /// <summary>An evaluation is done.</summary>
    public void Evaluated(StepReport report)
    {
        var e = report.Evaluation!;
        if (e.Rewards is { } rewards)
        {
            Line(string.Create(CultureInfo.InvariantCulture,
                $"step {report.Step,6}/{total}  reward {Reward(report.Rewards ?? default)}  validation reward {Reward(rewards)}  {rewards.Truncated} of {rewards.Samples} answers too long  lr {report.LearningRate:G3}"));
            return;
        }

        string more = e.Preferences is { } p
            ? string.Create(CultureInfo.InvariantCulture, $"margin {p.Margin / p.Pairs:F3}  chosen ahead {100.0 * p.Right / p.Pairs:F1}%")
            : string.Create(CultureInfo.InvariantCulture, $"{e.BitsPerByte:F3} bits/byte");
        Line(string.Create(CultureInfo.InvariantCulture,
            $"step {report.Step,6}/{total}  loss {lastLoss:F4}  validation loss {e.Loss:F4}  {more}  lr {report.LearningRate:G3}  {report.TokensPerSecond:N0} tokens/s"));
    }

    private static string Reward(RewardFigures rewards) => rewards.Ended > 0 ? rewards.Mean.ToString("F3", CultureInfo.InvariantCulture) : "none";

    /// <summary>A sample of the model's text.</summary>
    public void Sample(int step, string text)
    {
        console.MarkupLineInterpolated($"[grey]sample at step {step}:[/]");
        foreach (string line in text.Trim().Split('\n'))
            console.MarkupLineInterpolated($"  [italic]{Printable(line)}[/]");
    }

    /// <summary>A time for people, such as 2m05s.</summary>
    public static string Time(double seconds) => seconds < 60
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:F0}s")
        : seconds < 3600 ? $"{(int)seconds / 60}m{(int)seconds % 60:D2}s" : $"{(int)seconds / 3600}h{(int)seconds / 60 % 60:D2}m";

    // An untrained model writes any character: a control character could move the cursor or change the terminal.
    private static string Printable(string line) => new(line.TrimEnd().Select(c => c == '\t' ? ' ' : char.IsControl(c) ? '\uFFFD' : c).ToArray());

    private string Left(int step) => Time(clock.Elapsed.TotalSeconds / (step - first) * (total - step));
}
