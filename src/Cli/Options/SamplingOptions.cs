using System.CommandLine;
using TinyLlm.Cli.Parsing;
using TinyLlm.Model;

namespace TinyLlm.Cli;

/// <summary>How text is drawn and where it ends: the same options for every command that writes text.</summary>
internal sealed class SamplingOptions
{
    private readonly Option<int> maxTokens =
        new("--max-tokens") { HelpName = "N", Description = "Most tokens to write.", DefaultValueFactory = _ => 200 };
    private readonly Option<float> temperature = new(
        "--temperature")
    {
        HelpName = "X",
        Description = "0: always the likeliest token; 1: as the model says.",
        DefaultValueFactory = _ => 0.8f
    };
    private readonly Option<int> topK =
        new("--top-k") { HelpName = "N", Description = "Only the N likeliest tokens; 0, the default: all." };
    private readonly Option<float> topP = new("--top-p")
    {
        HelpName = "X",
        Description = "Only the likeliest tokens "
        + "that make up this probability.",
        DefaultValueFactory = _ => 1f
    };
    private readonly Option<float> minP = new("--min-p")
    {
        HelpName = "X",
        Description = "Only tokens with this share "
        + "of the likeliest one's probability; default: 0."
    };
    private readonly Option<float> repetitionPenalty = new(
        "--repetition-penalty")
    {
        HelpName = "X",
        Description = "Above 1: tokens that were there before become less likely.",
        DefaultValueFactory = _ => 1f
    };
    private readonly TextOption<string[]> stop =
        new("--stop") { HelpName = "TEXT", Description = "Stop before this text; may be repeated." };

    private readonly Option<ulong?> seed =
        new("--seed") { HelpName = "N", Description = "Seed of the draws; default: another every time." };

    public void AddTo(Command command)
    {
        Option[] all = [maxTokens, temperature, topK, topP, minP, repetitionPenalty, stop, seed];
        foreach (var option in all)
            command.Options.Add(option);
    }

    /// <summary>What the command line says.</summary>
    /// <exception cref="TinyLlmException">A value is out of range.</exception>
    public Sampling Read(ParseResult parse)
    {
        var settings = new SamplerSettings
        {
            Temperature = parse.GetValue(temperature),
            TopK = parse.GetValue(topK),
            TopP = parse.GetValue(topP),
            MinP = parse.GetValue(minP),
            RepetitionPenalty = parse.GetValue(repetitionPenalty),
        }.Validate();
        return new Sampling(
            settings, AtLeastOne(maxTokens.Name, parse.GetValue(maxTokens)), parse.GetValue(stop)
            ?? [], parse.GetValue(seed) ?? (ulong)Random.Shared.NextInt64());
    }

    /// <summary>The value, if it is 1 or more.</summary>
    /// <exception cref="TinyLlmException">It is less.</exception>
    public static int AtLeastOne(string option, int value) =>
        value >= 1 ? value : throw new TinyLlmException($"{option} {value}: expected 1 or more.");
}

/// <summary>How text is drawn and where it ends.</summary>
/// <param name="Settings">The filters.</param>
/// <param name="MaxTokens">Most tokens of a text.</param>
/// <param name="Stops">Texts before which it ends.</param>
/// <param name="Seed">Of the draws.</param>
internal sealed record Sampling(SamplerSettings Settings, int MaxTokens, string[] Stops, ulong Seed)
{
    /// <summary>The sampler of one text; each number draws its own.</summary>
    public Sampler Sampler(Gpt model, uint number) => new(Settings, Seed, model.Config.VocabularySize, number);
}
