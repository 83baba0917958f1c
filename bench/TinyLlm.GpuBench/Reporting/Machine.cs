using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ILGPU;
using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>What the results were measured on and with.</summary>
internal static class Machine
{
    private const string NvidiaDriver = "/proc/driver/nvidia/version";

    /// <summary>The facts that are known now, and those of before that are not.</summary>
    public static Dictionary<string,
        string> Describe(string device, Dictionary<string, string> before, Dictionary<string, JsonNode> parts)
    {
        var facts = new Dictionary<string, string>(before)
        {
            ["device"] = DeviceList.Find().FirstOrDefault(d => d.Name == device)?.Text ?? device,
            ["TinyLlm"] = typeof(
                Backend).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
                    ?? "unknown",
            [".NET"] = RuntimeInformation.FrameworkDescription,
            ["ILGPU"] = typeof(Context).Assembly.GetName().Version?.ToString() ?? "unknown",
            ["system"] = $"{RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors",
        };
        if (File.Exists(NvidiaDriver))
            facts["driver"] = File.ReadLines(NvidiaDriver).First();
        foreach (string peer in (string[])["torch", "transformers"])
        {
            if (parts.Values.OfType<JsonObject>().Select(part => (string?)part[peer])
                .FirstOrDefault(version => version is not null) is { } version)
                facts[peer] = version;
        }

        return facts;
    }
}
