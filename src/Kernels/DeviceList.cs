using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Kernels;

/// <summary>One line of what a machine offers.</summary>
/// <param name="Name">What <c>--device</c> takes.</param>
/// <param name="Text">The device with its memory and what it supports, or why there is none.</param>
/// <param name="IsAuto">Whether <c>--device auto</c> takes it.</param>
public sealed record DeviceLine(string Name, string Text, bool IsAuto);

/// <summary>Looks for devices.</summary>
public static class DeviceList
{
    /// <summary>The CPU, each GPU, and for each kind of GPU without a device what is missing.</summary>
    public static IReadOnlyList<DeviceLine> Find()
    {
        string auto = GpuDevice.Best() ?? "cpu";
        using var cpu = Backend.Create("cpu");
        List<DeviceLine> lines = [new(
            cpu.Name, $"{Rest(cpu.Description)}; fp32; {MiB(cpu.AvailableBytes)} of memory free", auto == cpu.Name)];
        foreach (string kind in (string[])["cuda", "opencl"])
        {
            var found = GpuDevice.Find(kind);
            lines.AddRange(
                found.Select(
                    (d, i) => new DeviceLine(
                        kind, $"{Rest(d.Description)}; {MiB(d.MemoryBytes)} of memory", kind == auto && i == 0
                        && d.IsGpu)));
            if (found.Count == 0)
                lines.Add(new DeviceLine(kind, $"none: {GpuDriver.Missing(kind)}", false));
        }

        lines.Add(new DeviceLine(GpuDevice.Simulated.Kind, GpuDevice.Simulated.Name, false));
        return lines;
    }

    // What follows "kind: ".
    private static string Rest(string description) =>
        description[(description.IndexOf(':', StringComparison.Ordinal) + 2)..];

    private static string MiB(long bytes) => $"{bytes / 1048576.0:N0} MiB";
}
