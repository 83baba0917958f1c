using System.CommandLine;

namespace TinyLlm.Cli;

/// <summary>What pretrain takes where no option says otherwise; see docs/recipes.md.</summary>
/// <param name="Preset">Sizes of the model.</param>
/// <param name="Architecture">Its layout.</param>
/// <param name="Tokenizer">Kind of tokenizer for text.</param>
/// <param name="Loop">Steps, batch, optimiser and learning rates.</param>
internal sealed record Recipe(string Preset, string Architecture, string Tokenizer, LoopDefaults Loop)
{
    private const string DefaultName = "default";

    private static readonly Dictionary<string, Recipe> All = new()
    {
        [DefaultName] = new(
            "default", "qwen3", "bpe",
            new LoopDefaults(
                Steps: 800, BatchSize: 16, LearningRate: 4e-3, WeightDecay: 0.1, Schedule: "linear", EndShare: 0)),

        // config/train_shakespeare_char.py of nanoGPT with what its README says for a laptop.
        ["nanogpt"] = new(
            "tiny", "gpt2", "char",
            new LoopDefaults(
                Steps: 2000, BatchSize: 12, LearningRate: 1e-3, WeightDecay: 0.1, Optimizer: "adamw", Warmup: 100)),
    };

    /// <summary>The recipe where none is named.</summary>
    public static Recipe Default => All[DefaultName];

    /// <summary>--recipe.</summary>
    public static Option<string> Option() => LoopOptions.Choice("--recipe",
        "What is taken where no option says otherwise; default: default. nanogpt: gpt2 of preset tiny, characters, "
        + "AdamW, 2,000 batches of 12, as nanoGPT trains on a laptop.", [.. All.Keys]);

    /// <summary>The recipe that the option names.</summary>
    public static Recipe Read(OptionReader reader, Option<string> option) => All[reader.Fixed(option, DefaultName)];
}
