using System.Globalization;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Training;

/// <summary>
/// The folder of a run: a model folder with the latest weights, <c>best/</c> with those that were the best by the run's
/// <see cref="Measure"/>, <c>checkpoints/step-00000500/</c>, and <c>metrics.jsonl</c>. Until it is disposed of, no
/// other process can open it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string StepPrefix = "step-";

    private RunLock? held;

    private RunFolder(string path) => Root = path;

    /// <summary>The folder.</summary>
    public string Root { get; }

    /// <summary>Where the best weights are.</summary>
    public string BestFolder => Path.Combine(Root, "best");

    /// <summary>The log.</summary>
    public string MetricsFile => Path.Combine(Root, "metrics.jsonl");

    private string Checkpoints => Path.Combine(Root, "checkpoints");

    /// <summary>The first name <c>runs/NAME-1</c>, <c>runs/NAME-2</c> ... that is free.</summary>
    public static string NextFree(string name)
    {
        for (int i = 1; ; i++)
        {
            string path = Path.Combine("runs", $"{name}-{i}");
            if (!Directory.Exists(path) && !File.Exists(path))
                return path;
        }
    }

    /// <summary>Refuses a folder that holds a run.</summary>
    /// <exception cref="TinyLlmException">It does.</exception>
    public static void CheckFree(string path)
    {
        if (new RunFolder(path).HoldsRun)
        {
            throw new TinyLlmException($"--out {path}: this folder holds a run already; go on with it by --resume, "
                + "replace it by --force, or choose another folder.");
        }
    }

    /// <summary>Makes the folder of a new run.</summary>
    /// <exception cref="TinyLlmException">
    /// It holds a run already and <paramref name="force"/> is not set, another process has it open, or the file system
    /// refused.
    /// </exception>
    public static RunFolder Create(string path, bool force)
    {
        if (!force)
            CheckFree(path);
        var run = new RunFolder(path);
        try
        {
            Directory.CreateDirectory(path);
            run.held = RunLock.Take(path);
            run.Clear();
            return run;
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            run.Dispose();
            throw FileErrors.Writing(path, e, kept: false);
        }
    }

    /// <summary>Opens the folder of a run that has a checkpoint, and repairs what an interrupted write left.</summary>
    /// <exception cref="TinyLlmException">
    /// There is no run, it has no checkpoint yet, another process has it open, or the file system refused.
    /// </exception>
    public static RunFolder Resume(string path)
    {
        var run = new RunFolder(path);
        if (!Directory.Exists(path))
            throw new TinyLlmException($"--resume: there is no folder {path}; --out must name the run to go on with.");
        // First the lock: what a running process writes just now looks like what an interrupted one left.
        run.held = RunLock.Take(path);
        AtomicFolder.RecoverAll(run.Checkpoints);
        AtomicFolder.RecoverAll(path);
        if (run.LatestCheckpoint() is not null)
            return run;
        run.Dispose();
        throw new TinyLlmException($"--resume: {path} holds no checkpoint; begin anew with --force instead.");
    }

    /// <summary>Lets other processes have the folder.</summary>
    public void Dispose() => held?.Dispose();

    /// <summary>The newest checkpoint, none before the first.</summary>
    public string? LatestCheckpoint() => CheckpointFolders().LastOrDefault();

    /// <summary>
    /// Writes a checkpoint and the latest weights, and removes earlier ones: those of
    /// <see cref="TrainerFile.Interim"/>, and what is beyond the newest <paramref name="keep"/>.
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused; the earlier checkpoints are kept.</exception>
    public void Save(Gpt model, Tokenizer tokenizer, Optimizer optimizer, TrainerFile trainer, int keep)
    {
        try
        {
            Directory.CreateDirectory(Checkpoints);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Writing(Checkpoints, e, kept: false);
        }

        string folder =
            Path.Combine(Checkpoints, StepPrefix + trainer.State.Step.ToString("D8", CultureInfo.InvariantCulture));
        Checkpoint.Save(folder, model, tokenizer, optimizer, trainer);
        ModelFolder.Save(Root, model, tokenizer);
        foreach (string interim in CheckpointFolders().SkipLast(1).Where(IsInterim))
            Delete(interim);
        foreach (string old in CheckpointFolders().SkipLast(keep))
            Delete(old);
    }

    /// <summary>Writes the best weights.</summary>
    /// <exception cref="TinyLlmException">The file system refused; the earlier ones are kept.</exception>
    public void SaveBest(Gpt model, Tokenizer tokenizer, TrainerFile trainer) =>
        AtomicFolder.Write(BestFolder, temporary =>
    {
        ModelFolder.Save(temporary, model, tokenizer);
        trainer.Save(temporary);
    });

    private bool HoldsRun => File.Exists(MetricsFile) || Directory.Exists(Checkpoints) || WeightFiles.Any(File.Exists);

    private IEnumerable<string> WeightFiles =>
        new[] { WeightsFile.Name, AdapterFolder.WeightsName, AdapterFolder.ConfigName }.Select(
            name => Path.Combine(Root, name));

    private IEnumerable<string> CheckpointFolders() => !Directory.Exists(Checkpoints)
        ? []
        : Directory.GetDirectories(Checkpoints, StepPrefix + "*").Where(f => !AtomicFolder.IsTemporary(f))
            .Order(StringComparer.Ordinal);

    // Only what a run writes: the folder may hold other files of the user's.
    private void Clear()
    {
        // What not every tokenizer has is not written over, and would seem to be the new one's.
        var optional = TokenizerFolder.OptionalFiles.Select(name => Path.Combine(Root, name));
        foreach (string item in optional.Concat(WeightFiles).Concat([Checkpoints, BestFolder, MetricsFile]))
        {
            if (Directory.Exists(item))
                Directory.Delete(item, recursive: true);
            else
                File.Delete(item);
        }
    }

    // One that cannot be read is not removed for it.
    private static bool IsInterim(string checkpoint)
    {
        try
        {
            return TrainerFile.Load(checkpoint).Interim;
        }
        catch (TinyLlmException)
        {
            return false;
        }
    }

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw new TinyLlmException(
                $"{folder}: an old checkpoint could not be removed ({e.Message}); the newest one is written.", e);
        }
    }
}
