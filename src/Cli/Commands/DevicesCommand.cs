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
            foreach (var device in DeviceList.Find())
                OutputConsole.WriteLine($"{device.Name,-10} {device.Text}{(device.IsAuto ? "  <- auto" : "")}", 11);
            return ExitCode.Done;
        });
        return command;
    }
}
