using System.CommandLine;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Bench;

/// <summary>What the commands do with a preset's sizes.</summary>
internal static class ModelSizes
{
    /// <summary>--model: one preset or more.</summary>
    public static Option<string[]> Option(params string[] defaults)
    {
        var option = new Option<string[]>("--model")
        {
            Description = "Presets to time.",
            HelpName = "name",
            DefaultValueFactory = _ => defaults,
            AllowMultipleArgumentsPerToken = true,
        };
        option.AcceptOnlyFromAmong([.. ModelSize.All.Select(size => size.Name)]);
        return option;
    }

    /// <summary>The preset as a GPT-2.</summary>
    public static GptConfig Gpt2(this ModelSize size) =>
        GptConfig.Create(Architecture.Gpt2, size.Layers, size.Heads, size.Width, size.Context, size.Vocabulary);

    /// <summary>Writes a GPT-2 of this size with its initial weights, which every side then reads.</summary>
    public static void SaveInitialWeights(this ModelSize size, string path)
    {
        using var backend = Backend.Create("cpu");
        using var model = new Gpt(size.Gpt2(), backend);
        model.Initialize(1);
        WeightsFile.Save(path, model);
    }
}
