using System.CommandLine;
using TinyLlm.Model;

namespace TinyLlm.Cli;

/// <summary>The options of low-rank adapters.</summary>
internal sealed class LoraOptions
{
    private const string AllLayers = "all";

    private readonly Option<int> rank = LoopOptions.Number(
        "--lora-rank", "Train adapters of this rank in place of the weights; 0, the default: the weights.");
    private readonly Option<double> alpha = LoopOptions.Real(
        "--lora-alpha", "The adapters' output is multiplied by alpha / rank; default: twice the rank.");
    private readonly Option<string[]> targets = new(
        "--lora-targets")
    {
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
        Description = "Layers that have adapters, such as q_proj v_proj; all, the default: all linear layers of the "
        + "blocks."
    };
    private readonly Option<double> dropout =
        LoopOptions.Real("--lora-dropout", "Dropout probability of what adapters read; default: 0.");

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { rank, alpha, targets, dropout })
            command.Options.Add(option);
    }

    /// <summary>The adapters that the options ask for; none for the weights.</summary>
    /// <param name="reader">The options' values.</param>
    /// <param name="model">Folder of the model that they will be of.</param>
    /// <exception cref="TinyLlmException">A value is out of range, or the model has no such layer.</exception>
    public LoraSettings? Read(OptionReader reader, string model)
    {
        int r = reader.Fixed(rank, 0);
        string[] names = reader.Fixed(targets, [AllLayers]);
        float a = (float)reader.Fixed(alpha, 2.0 * r), p = (float)reader.Fixed(dropout, 0.0);
        if (r == 0)
        {
            return reader.IsGiven(alpha) || reader.IsGiven(targets) || reader.IsGiven(dropout)
                ? throw new TinyLlmException("--lora-alpha, --lora-targets and --lora-dropout say how adapters are; "
                    + "expected --lora-rank N beside them.")
                : null;
        }

        string found = ModelFolder.Find(model);
        if (AdapterFolder.Is(found))
        {
            throw new TinyLlmException($"{model}: these are adapters; expected a model for new adapters. "
                + $"Merge them first: {Launcher.Command} merge --model {Shell.Quote(model)} --out DIR.");
        }

        var architecture = ConfigFile.Read(Path.Combine(found, ConfigFile.Name)).Architecture;
        var settings = new LoraSettings(
            r, a, names is [AllLayers] ? LoraSettings.LayersOf(architecture)
            : names, p)
        { Base = Path.GetFullPath(model) };
        settings.Validate(architecture);
        return settings;
    }
}
