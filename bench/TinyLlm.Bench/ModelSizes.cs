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
    /// <param name="widening">What matrices and tables are multiplied with. The blocks of a fresh model add so little
    /// that it repeats its last token; of a wide one they decide.</param>
    public static void SaveInitialWeights(this ModelSize size, string path, float widening = 1)
    {
        using var backend = Backend.Create("cpu");
        using var model = new Gpt(size.Gpt2(), backend);
        model.Initialize(1);
        if (widening != 1)
            Widen(model, widening);
        WeightsFile.Save(path, model);
    }

    private static void Widen(Gpt model, float widening)
    {
        foreach (var parameter in model.Parameters.All.Where(p => p.Group != ParameterGroup.Vector))
        {
            float[] values = new float[parameter.Shape.Count];
            model.Backend.Read(parameter.Value, values);
            for (int i = 0; i < values.Length; i++)
                values[i] *= widening;
            model.Backend.Write(parameter.Value, values);
        }
    }
}
