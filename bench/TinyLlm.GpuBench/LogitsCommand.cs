using System.CommandLine;
using System.Text.Json;
using TinyLlm.GpuBench.Training;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.GpuBench;

/// <summary>Logits of a model folder, for bench/peers/hf_check.py.</summary>
/// <param name="Model">The folder.</param>
/// <param name="Tokens">(T): the ids that went in.</param>
/// <param name="Logits">(T, V).</param>
internal sealed record LogitsFile(string Model, string Device, string Precision, int[] Tokens, float[][] Logits);

/// <summary><c>logits</c>: what a saved model gives for random tokens, as JSON.</summary>
internal static class LogitsCommand
{
    public static Command Create()
    {
        var device = new Option<string>(
            "--device") { Description = "auto, cuda, opencl, cpu or simulated.", DefaultValueFactory = _ => "auto" };
        var model = new Option<string>(
            "--model") { HelpName = "DIR", Description = "The model folder.", Required = true };
        var json = new Option<FileInfo>(
            "--json") { HelpName = "FILE", Description = "Where the logits go.", Required = true };
        var tokens = new Option<int>("--tokens") { HelpName = "N", Description = "How many tokens, at most the "
            + "context.", DefaultValueFactory = _ => 32 };
        var precision = TrainCommand.PrecisionOption();
        var command = new Command(
            "logits", "Write the logits that a saved model gives for random tokens.") { device, model, json, tokens,
            precision };
        command.SetAction(parse =>
        {
            using var backend = Backend.Create(parse.GetValue(device)!);
            string given = parse.GetValue(precision)!;
            var type = given == "auto" ? backend.PreferredComputeType : Sizes.TypeOf(given);
            var file = Compute(backend, parse.GetValue(model)!, type, parse.GetValue(tokens));
            File.WriteAllText(
                parse.GetValue(json)!.FullName, JsonSerializer.Serialize(file, JsonSerializerOptions.Web));
        });
        return command;
    }

    private static LogitsFile Compute(Backend backend, string folder, DType type, int count)
    {
        var (model, tokenizer) = ModelFolder.Load(folder, backend, type);
        using var owner = model;
        int t = Math.Clamp(count, 1, model.Config.Context), v = model.Config.VocabularySize,
            padded = model.Config.PaddedVocabulary;
        var random = new Random(1);
        int[] tokens = [.. Enumerable.Range(0, t).Select(_ => random.Next(tokenizer.VocabularySize))];

        using var arena = new Arena(backend, "logits");
        var activations = new Activations(arena, model.Config, 1, t, training: false);
        var logits = arena.Add("logits", (t, padded));
        arena.Allocate();
        activations.SetInputs(tokens, [.. Enumerable.Range(0, t)]);
        model.Forward(activations);
        model.Logits(activations.Hidden.View((t, model.Config.Width)), logits);
        var values = new float[t * padded];
        backend.Read(logits.View(values.Length), values);
        return new LogitsFile(
            folder, backend.Description, type == DType.BF16 ? Sizes.Bf16
            : Sizes.Fp32, tokens, [.. values.Chunk(padded).Select(row => row[..v])]);
    }
}
