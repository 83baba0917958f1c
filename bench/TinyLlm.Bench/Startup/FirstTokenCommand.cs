using System.CommandLine;
using TinyLlm.Bench.Peers;
using TinyLlm.Model;

namespace TinyLlm.Bench.Startup;

/// <summary>
/// <c>first-token</c>, hidden: the peer of <c>tinyllm generate --max-tokens 1</c>. Loads TorchSharp and a model, and
/// writes the token that it takes to be likeliest.
/// </summary>
internal static class FirstTokenCommand
{
    public const string Name = "first-token";

    public static Command Create()
    {
        var folder = new Argument<string>("folder");
        var command = new Command(Name) { folder };
        command.Hidden = true;
        command.SetAction(parse =>
        {
            NativeSetup.MendTorchSharp();
            Run(Path.Combine(parse.GetValue(folder)!, WeightsFile.Name));
        });
        return command;
    }

    private static void Run(string weights)
    {
        using var decoder = new TorchDecoder(StartupCommand.Size, weights, Environment.ProcessorCount);
        Console.WriteLine(decoder.Generate(StartupCommand.Prompt, 1).Tokens[0]);
    }
}
