using System.Text.Json;
using System.Text.Json.Serialization;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Training;

/// <summary>What <c>trainer.json</c> holds: where the run stands, and how it was started.</summary>
public sealed record TrainerFile
{
    /// <summary>Name of the file in a checkpoint and in a run's folder.</summary>
    public const string Name = "trainer.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true
    };

    /// <summary>pretrain or finetune.</summary>
    public required string Stage { get; init; }

    /// <summary>Where the run stands.</summary>
    public required TrainerState State { get; init; }

    /// <summary>The options of the command line, by name: a resume takes them from here and refuses others.</summary>
    public required Dictionary<string, string> Options { get; init; }

    /// <summary>A hash of the training and validation tokens: a resume refuses other data.</summary>
    public required string DataHash { get; init; }

    /// <summary>
    /// What best means in this run. A file that does not say so is of a time when only grpo had another measure than
    /// the loss.
    /// </summary>
    [JsonIgnore]
    public Measure Measure
    {
        get => SavedMeasure
            ?? (Options.GetValueOrDefault("--method") == "grpo" ? Measure.ValidationReward : Measure.ValidationLoss);
        init => SavedMeasure = value;
    }

    /// <summary>Whether the checkpoint was due by time alone, and goes when the next one is written.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Interim { get; init; }

    [JsonInclude, JsonPropertyName("measure")]
    private Measure? SavedMeasure { get; init; }

    /// <summary>Writes the file atomically.</summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public void Save(string folder) =>
        AtomicFile.WriteText(Path.Combine(folder, Name), JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Reads the file.</summary>
    /// <exception cref="TinyLlmException">It is missing or damaged.</exception>
    public static TrainerFile Load(string folder)
    {
        string path = Path.Combine(folder, Name);
        try
        {
            return JsonSerializer.Deserialize<TrainerFile>(File.ReadAllText(path), Json)
                ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new TinyLlmException(
                $"{path}: not a checkpoint's {Name} ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}).", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }
}

/// <summary>
/// A checkpoint: a model folder with <c>optimizer.safetensors</c> and <c>trainer.json</c> beside it. It is built under
/// another name, flushed and renamed, so that it is there whole or not at all.
/// </summary>
public static class Checkpoint
{
    private const string OptimizerName = "optimizer.safetensors";

    /// <summary>Writes a checkpoint.</summary>
    /// <exception cref="TinyLlmException">The file system refused, for example because the disk is full; nothing
    /// half-written stays.</exception>
    public static void Save(string folder, Gpt model, Tokenizer tokenizer, Optimizer optimizer, TrainerFile trainer) =>
        AtomicFolder.Write(folder, temporary =>
    {
        ModelFolder.Save(temporary, model, tokenizer);
        var writer = new SafetensorsWriter();
        foreach (var (name, tensor) in optimizer.State)
            writer.Add(name, DType.F32, Sizes(tensor.Shape), destination => model.Backend.Read(tensor, destination));
        writer.Save(Path.Combine(temporary, OptimizerName));
        trainer.Save(temporary);
    });

    /// <summary>
    /// Reads weights and optimiser state back into a model of the same shapes and an optimiser of the same kind.
    /// </summary>
    /// <exception cref="TinyLlmException">A file is missing, damaged or of another model or optimiser.</exception>
    public static void Load(string folder, Gpt model, Optimizer optimizer)
    {
        if (model.Adapter is null)
            WeightsFile.Load(Path.Combine(folder, WeightsFile.Name), model);
        else
            AdapterFolder.Load(folder, model);
        string path = Path.Combine(folder, OptimizerName);
        using var reader = SafetensorsReader.Open(path);
        foreach (var (name, tensor) in optimizer.State)
        {
            var found = reader.Find(name)
                ?? throw new TinyLlmException(
                    $"{path}: the tensor {name} is missing; the file belongs to another model or optimiser.");
            if (!found.Shape.SequenceEqual(Sizes(tensor.Shape).Select(n => (long)n)))
            {
                throw new TinyLlmException(
                    $"{path}: {found}; expected {tensor.Shape}. The file belongs to another model.");
            }

            model.Backend.Write(tensor, values => reader.Read(name, values));
        }
    }

    private static int[] Sizes(Shape shape) => Enumerable.Range(0, shape.Rank).Select(i => shape[i]).ToArray();
}
