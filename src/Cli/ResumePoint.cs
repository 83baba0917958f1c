using System.CommandLine;
using TinyLlm.Training;

namespace TinyLlm.Cli;

/// <summary>Where a session begins: a new folder, or a run's last checkpoint.</summary>
/// <param name="Folder">The run's folder; null for the next free one.</param>
/// <param name="Checkpoint">The checkpoint to go on from; null for a new run.</param>
/// <param name="Saved">Its file.</param>
/// <param name="Force">Whether a new run may replace one that the folder holds.</param>
/// <param name="Run">The run to go on with, open; null for a new one.</param>
internal sealed record ResumePoint(
    string? Folder, string? Checkpoint, TrainerFile? Saved, bool Force, RunFolder? Run = null)
    : IDisposable
{
    /// <summary>Reads --out, --resume and --force.</summary>
    /// <exception cref="TinyLlmException">There is nothing to resume, or it is another stage's.</exception>
    public static ResumePoint Find(ParseResult parse, LoopOptions loop, string stage)
    {
        string? folder = parse.GetValue(loop.Out);
        bool force = parse.GetValue(loop.Force);
        if (!parse.GetValue(loop.Resume))
        {
            // Refused before the data is read and the tokenizer trained.
            if (folder is not null && !force)
                RunFolder.CheckFree(folder);
            return new ResumePoint(folder, null, null, force);
        }

        if (force)
        {
            throw new TinyLlmException("--resume and --force: expected one of them; the first goes on with the run in "
                + "--out, the second replaces it.");
        }

        if (folder is null)
            throw new TinyLlmException("--resume: expected --out DIR, the folder of the run to go on with.");
        var run = RunFolder.Resume(folder);
        try
        {
            string checkpoint = run.LatestCheckpoint()!;
            var saved = TrainerFile.Load(checkpoint);
            if (saved.Stage != stage)
            {
                throw new TinyLlmException($"--resume: the run in {folder} was begun by {saved.Stage}, not {stage}; "
                    + $"go on with: {Launcher.Command} {saved.Stage} --out {Shell.Quote(folder)} --resume");
            }

            return new ResumePoint(folder, checkpoint, saved, Force: false, run);
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The run's folder, ready to be written. Only now does a forced new run remove the old one: all that could refuse
    /// it is behind.
    /// </summary>
    /// <param name="name">What a folder without a name is called.</param>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public RunFolder Open(string name) => Run ?? RunFolder.Create(Folder ?? RunFolder.NextFree(name), Force);

    public void Dispose() => Run?.Dispose();
}
