using System.CommandLine;
using TinyLlm.Kernels;
using TinyLlm.Training;

namespace TinyLlm.Cli;

/// <summary>Where a session begins: a new folder, or a run's last checkpoint.</summary>
internal static class ResumePoint
{
    /// <summary>Reads --out and --resume. The checkpoint and its file are null for a new run.</summary>
    /// <exception cref="TinyLlmException">There is nothing to resume, or it is another stage's.</exception>
    public static (string? Folder, string? Checkpoint, TrainerFile? Saved) Find(ParseResult parse, LoopOptions loop, string stage)
    {
        string? folder = parse.GetValue(loop.Out);
        if (!parse.GetValue(loop.Resume))
        {
            // Refused before the data is read and the tokenizer trained.
            if (folder is not null && !parse.GetValue(loop.Force))
                RunFolder.CheckFree(folder);
            return (folder, null, null);
        }

        if (parse.GetValue(loop.Force))
            throw new TinyLlmException("--resume and --force: expected one of them; the first goes on with the run in --out, the second replaces it.");
        if (folder is null)
            throw new TinyLlmException("--resume: expected --out DIR, the folder of the run to go on with.");
        string checkpoint = RunFolder.Resume(folder).LatestCheckpoint()!;
        var saved = TrainerFile.Load(checkpoint);
        if (saved.Stage != stage)
            throw new TinyLlmException($"--resume: the run in {folder} was begun by {saved.Stage}, not {stage}; go on with: tinyllm {saved.Stage} --out {folder} --resume");
        return (folder, checkpoint, saved);
    }
}
