using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using TinyLlm.Cli;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// The README's picture of a run shows the default recipe: scripts/make-run-picture makes it anew where that changes.
/// </summary>
public sealed partial class RunPictureTests
{
    private const int Vocabulary = 2048;

    [Fact]
    public void ThePicture_ShowsTheDefaultRecipe()
    {
        Assert.SkipUnless(Repository.Root is not null, "The sources are not around the tests.");
        string svg = File.ReadAllText(Path.Combine(Repository.Root!, "docs", "run.svg"));
        string text = WebUtility.HtmlDecode(
            Spaces().Replace(string.Join(' ', Lines().Matches(svg).Select(line => line.Groups[1].Value)), " "));
        var recipe = Recipe.Default;
        var (layers, heads, width, context) = ModelOptions.Presets[recipe.Preset];
        using var backend = Backend.Create("cpu", 1);
        using var model = new Gpt(
            GptConfig.Create(
                Enum.Parse<Architecture>(recipe.Architecture, ignoreCase: true), layers, heads, width, context,
                Vocabulary),
            backend);

        Assert.Contains(string.Create(CultureInfo.InvariantCulture,
            $"{recipe.Architecture}: {layers} layers, {heads} heads, width {width}, context {context}, vocabulary "
            + $"{Vocabulary}; {model.Parameters.Count:N0} parameters"), text, StringComparison.Ordinal);
        var loop = recipe.Loop;
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"Done: {loop.Steps} steps, "
            + $"{(long)loop.Steps * loop.BatchSize * context:N0} tokens"), text, StringComparison.Ordinal);

        var schedule = new Schedule(
            Enum.Parse<ScheduleKind>(loop.Schedule, ignoreCase: true), loop.LearningRate,
            loop.LearningRate * loop.EndShare, loop.WarmupOf(loop.Steps), loop.Steps);
        var evaluations = Evaluation().Matches(text).ToList();
        Assert.Equal(
            Enumerable.Range(1, 10).Select(i => i * loop.Steps / 10),
            evaluations.Select(e => int.Parse(e.Groups[1].Value, CultureInfo.InvariantCulture)));
        Assert.All(evaluations, e =>
        {
            Assert.Equal(loop.Steps, int.Parse(e.Groups[2].Value, CultureInfo.InvariantCulture));
            Assert.Equal(
                NumberText.Short(schedule.At(int.Parse(e.Groups[1].Value, CultureInfo.InvariantCulture) - 1)),
                e.Groups[3].Value);
        });
    }

    [GeneratedRegex("<text [^>]*>([^<]*)</text>")]
    private static partial Regex Lines();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"step (\d+)/(\d+) loss [\d.]+ validation loss [\d.]+ [\d.]+ bits/byte lr (\S+) ")]
    private static partial Regex Evaluation();
}
