using System.CommandLine;
using TinyLlm.Kernels;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm devices</c>: what this machine offers.</summary>
internal static class DevicesCommand
{
    public static Command Create()
    {
        var command = new Command("devices", "Show what this machine offers, and which device --device auto takes.");
        command.SetAction(_ =>
        {
            using var backend = Backend.Create("cpu");
            Console.WriteLine($"{backend.Description}; {backend.AvailableBytes / 1048576.0:N0} MiB of memory free  <- auto");
            Console.WriteLine("GPUs (cuda, opencl) are not used by this version yet.");
            return ExitCode.Done;
        });
        return command;
    }
}
