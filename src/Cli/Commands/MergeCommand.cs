using System.CommandLine;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm merge</c>: adapters and their base as one model.</summary>
internal static class MergeCommand
{
    public static Command Create()
    {
        var model = LoopOptions.Path<string>(
            "--model", "DIR", "Folder of adapters, as finetune --lora-rank writes it.", required: true);
        var output = LoopOptions.Path<string>("--out", "DIR", "Folder of the merged model: a new one.", required: true);
        var command = new Command(
            "merge", "Add adapters to the weights of their base: a model that any program loads.") { model, output };
        command.SetAction(parse => Run(parse.GetValue(model)!, parse.GetValue(output)!));
        return command;
    }

    private static int Run(string folder, string output)
    {
        if (!AdapterFolder.Is(ModelFolder.Find(folder)))
        {
            throw new TinyLlmException($"{folder}: there is no {AdapterFolder.ConfigName} in this folder; merge takes "
                + "the folder that finetune --lora-rank wrote.");
        }

        if (Path.Exists(output))
        {
            throw new TinyLlmException(
                $"--out {output} exists; expected a new folder. Choose another one, or remove it.");
        }

        using var backend = Backend.Create("cpu");
        var (model, tokenizer) = ModelFolder.Load(folder, backend, note: Notes.Show);
        using var owner = model;
        AtomicFolder.Write(output, temporary => ModelFolder.Save(temporary, model, tokenizer));
        Console.WriteLine($"The merged model is in {output}: {model.Parameters.Count:N0} parameters.");
        string next = tokenizer.HasTurns ? "--chat --prompt \"What is 3 plus 4?\"" : "--prompt \"Once upon a time\"";
        Console.WriteLine($"Try next: {Launcher.Command} generate --model {Shell.Quote(output)} {next}");
        return ExitCode.Done;
    }
}
