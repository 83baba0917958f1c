using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TinyLlm.Bench.Reporting;

/// <summary>
/// A command's results for programs: <c>{"results":[{"model":"tiny","ours":...,"peer":...,"ratio":...}, ...]}</c>.
/// Written anew with each result, whole or not at all, so that a run that is cut short keeps what it has.
/// </summary>
internal sealed class ResultsFile(FileInfo? file)
{
    private static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<object> results = [];

    /// <summary>--json.</summary>
    public static Option<FileInfo?> Option() =>
        new("--json") { HelpName = "FILE", Description = "Write the results as JSON too." };

    /// <summary>Adds a result; its properties are the fields.</summary>
    public void Add(object result)
    {
        results.Add(result);
        if (file is not null)
            AtomicFile.WriteText(file.FullName, JsonSerializer.Serialize(new { results }, Json) + "\n");
    }
}
