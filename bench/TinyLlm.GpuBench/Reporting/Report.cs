using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>How a section of gpu-check went.</summary>
/// <param name="Status">passed, failed or skipped.</param>
/// <param name="Note">Why it was skipped or failed.</param>
/// <param name="Parts">What its programs wrote, by the names of the files.</param>
internal sealed record Section(
    string Status, string? Note, int Seconds, DateTimeOffset Ended, Dictionary<string, JsonNode> Parts)
{
    public const string Passed = "passed", Failed = "failed", Skipped = "skipped";

    /// <summary>A part, or null where its program did not get so far.</summary>
    public T? Part<T>(string name)
        where T : class => Parts.TryGetValue(name, out var part) ? part.Deserialize<T>(Results.Json) : null;
}

/// <summary>
/// <c>gpu-check.json</c>: what is known of the machine, and each section's last run. Sections may be run one at a time,
/// days apart, into the same folder.
/// </summary>
internal sealed record Report(Dictionary<string, string> Machine, Dictionary<string, Section> Sections)
{
    public const string FileName = "gpu-check.json";

    /// <summary>The folder's report, or an empty one.</summary>
    public static Report Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? JsonSerializer.Deserialize<Report>(File.ReadAllText(path), Results.Json)!
            : new Report([], []);
    }

    /// <summary>Writes it, as JSON and for people.</summary>
    public void Save(string folder)
    {
        File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Results.Json));
        File.WriteAllText(Path.Combine(folder, Path.ChangeExtension(FileName, ".md")), ReportText.Format(this));
    }
}
