using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// <c>goldens</c>: tiny models with their logits, loss, gradients and ten steps of AdamW, and what finetuning makes of
/// them, computed by libtorch in double precision.
/// </summary>
internal static class GoldenCommand
{
    private const int BatchSize = 2, Length = 13, Steps = 10;
    private const double LearningRate = 1e-2, Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-4;

    /// <summary>Decoupled weight decay, of Muon too.</summary>
    internal const double WeightDecay = 0.1;

    private const double AdamWTolerance = 1e-12;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private static readonly string[] Architectures = ["gpt2", "llama", "qwen3"];

    public static Command Create()
    {
        var folder = new Option<string>("--out")
        {
            Description = "Folder to write to; one folder an architecture.",
            DefaultValueFactory = _ => Path.Combine("tests", "TinyLlm.Tests", "Golden", "models"),
            HelpName = "dir",
        };
        var command = new Command(
            "goldens", "Write the golden models for the tests (run it in the repository's root).") { folder };
        command.SetAction(result =>
        {
            NativeSetup.Prepare();
            string root = result.GetValue(folder)!;
            set_num_threads(1); // threads would sum the embedding's gradient in an order of their own
            for (int i = 0; i < Architectures.Length; i++)
                Write(Architectures[i], 1000 + (ulong)i, Path.Combine(root, Architectures[i]));
        });
        return command;
    }

    private static void Write(string architecture, ulong seed, string folder)
    {
        using var scope = NewDisposeScope();
        var random = new GoldenRandom(seed);
        var model = GoldenModel.Create(architecture, random);
        var (tokens, targets) = (Draw(random), Draw(random));
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), model.Config().ToJsonString(Indented) + "\n");
        File.WriteAllText(Path.Combine(folder, "tokens.json"),
            new JsonObject { ["tokens"] = Rows(tokens), ["targets"] = Rows(targets) }.ToJsonString() + "\n");
        SafetensorsFile.Write(
            Path.Combine(folder, "model.safetensors"), model.Parameters.Select(p => (p.Name, p.Value)));

        var logits = model.Forward(tokens);
        var loss = GoldenModel.Loss(logits, targets);
        loss.backward();
        var gradients = model.Parameters.Select(p => p.Value.grad!.clone()).ToList();
        var (places, difference) =
            GoldenChecks.Gradients(model, () => GoldenModel.Loss(model.Forward(tokens), targets), gradients, random);

        var expected = new List<(string, Tensor)> { ("logits", logits), ("loss", loss.view(1)) };
        expected.AddRange(model.Parameters.Zip(gradients, (p, gradient) => ("grad." + p.Name, gradient)));
        var (losses, adamWDifference) = Train(model, tokens, targets);
        expected.Add(("adamw.losses", losses));
        expected.AddRange(model.Parameters.Select(p => ("adamw." + p.Name, p.Value)));
        SafetensorsFile.Write(Path.Combine(folder, "expected.safetensors"), expected);

        long bytes = Directory.GetFiles(folder).Sum(file => new FileInfo(file).Length);
        Console.WriteLine($"{architecture}: {model.Parameters.Count} parameters, "
            + $"{model.Parameters.Sum(p => p.Value.numel())} elements, {bytes / 1024.0:F0} KiB in {folder}");
        Console.WriteLine(
            $"  loss {loss.item<double>():F9}; after {Steps - 1} steps {losses[Steps - 1].item<double>():F9}");
        Console.WriteLine($"  largest gradient {gradients.Max(g => g.abs().max().item<double>()):F4}, at most "
            + $"{difference:E1} off numerical differences at {places} places");
        Console.WriteLine($"  AdamW at most {adamWDifference:E1} off the written-out formula");

        // What llama would add is in qwen3; comparisons do not depend on the architecture.
        if (architecture != "llama")
        {
            new FinetuningGolden(architecture, seed)
                .Write(folder, tokens, targets, comparisons: architecture == "qwen3");
        }
    }

    /// <summary>
    /// Ten steps on the same batch. Returns the loss before each, and how far the optimizer is off the written-out
    /// formula.
    /// </summary>
    private static (Tensor Losses, double Difference) Train(GoldenModel model, Tensor tokens, Tensor targets)
    {
        var optimizer = NewAdamW(model.Parameters);
        var formulas = model.Parameters.ConvertAll(
            p => new WrittenOutAdamW(Values(p.Value), LearningRate, Beta1, Beta2, Epsilon, Decay(p.Value)));

        double[] losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            optimizer.zero_grad();
            var loss = GoldenModel.Loss(model.Forward(tokens), targets);
            loss.backward();
            losses[step] = loss.item<double>();
            for (int i = 0; i < formulas.Count; i++)
                formulas[i].Step(Values(model.Parameters[i].Value.grad!));
            optimizer.step();
        }

        double largest = 0;
        for (int i = 0; i < formulas.Count; i++)
        {
            double difference = formulas[i].LargestDifference(Values(model.Parameters[i].Value));
            if (!(difference <= AdamWTolerance))
            {
                throw new InvalidOperationException($"{model.Architecture}: torch.optim.AdamW leaves "
                    + $"{model.Parameters[i].Name} {difference:E1} off the formula.");
            }

            largest = Math.Max(largest, difference);
        }

        return (tensor(losses, dtype: ScalarType.Float64), largest);
    }

    /// <summary>AdamW over these parameters; those of two dimensions decay.</summary>
    internal static AdamW NewAdamW(IEnumerable<GoldenParameter> parameters)
    {
        var groups = parameters.GroupBy(p => Decay(p.Value)).Select(group => new AdamW.ParamGroup(
            group.Select(p => (Parameter)p.Value).ToArray(), LearningRate, Beta1, Beta2, Epsilon, group.Key));
        return optim.AdamW(groups.ToArray(), LearningRate, Beta1, Beta2, Epsilon);
    }

    /// <summary>A tensor's elements.</summary>
    internal static double[] Values(Tensor value) => value.detach().contiguous().data<double>().ToArray();

    private static double Decay(Tensor value) => value.dim() >= 2 ? WeightDecay : 0;

    private static Tensor Draw(GoldenRandom random)
    {
        long[] ids = new long[BatchSize * Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = random.Next(GoldenModel.Vocabulary);
        return tensor(ids, [BatchSize, Length]);
    }

    private static JsonArray Rows(Tensor ids) =>
        new([.. Enumerable.Range(0, BatchSize)
        .Select(row => (JsonNode)new JsonArray([.. ids[row].data<long>().Select(id => (JsonNode)id)]))]);
}
