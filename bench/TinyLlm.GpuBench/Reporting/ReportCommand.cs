using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyLlm.GpuBench.Reporting;

/// <summary>
/// <c>report</c>: adds a section to gpu-check.json and writes gpu-check.md anew. Exit code 1: the section failed.
/// </summary>
internal static class ReportCommand
{
    public static Command Create()
    {
        var folder = Text("--out", "DIR", "Folder of gpu-check.json and gpu-check.md.");
        var section = Text("--section", "NAME", "The section.");
        var status = Text("--status", "STATUS", "How its programs ended.");
        status.AcceptOnlyFromAmong(Section.Passed, Section.Failed, Section.Skipped);
        var parts = Text("--parts", "DIR", "Folder of what they wrote: .json and .jsonl files.");
        var seconds = new Option<int>("--seconds") { HelpName = "N", Description = "How long they took." };
        var note = new Option<string?>(
            "--note") { HelpName = "TEXT", Description = "Why the section was skipped or failed." };
        var device = Text("--device", "NAME", "The device that was asked for.");
        var command = new Command(
            "report", "Add a section to the report of gpu-check.") { folder, section, status, parts, seconds, note,
            device };
        command.SetAction(parse =>
        {
            string name = parse.GetValue(section)!, given = parse.GetValue(status)!;
            var read = ReadParts(parse.GetValue(parts)!);
            var (judged, why) = given == Section.Passed ? Judgement.Of(name, read) : (given, null);
            var added = new Section(
                judged, Join(parse.GetValue(note), why), parse.GetValue(seconds), DateTimeOffset.UtcNow, read);
            var report = Report.Load(parse.GetValue(folder)!);
            report.Sections[name] = added;
            (report with { Machine = Machine.Describe(parse.GetValue(device)!, report.Machine, read) })
                .Save(parse.GetValue(folder)!);
            Console.WriteLine($"{name}: {judged}{(added.Note is { } text ? $" ({text})" : "")}");
            return judged == Section.Failed ? 1 : 0;
        });
        return command;
    }

    // A program that was stopped while it wrote leaves a file that is cut short.
    private static Dictionary<string, JsonNode> ReadParts(string folder)
    {
        var parts = new Dictionary<string, JsonNode>();
        foreach (string path in Directory.EnumerateFiles(folder, "*.json*").Order(StringComparer.Ordinal))
        {
            try
            {
                parts[Path.GetFileNameWithoutExtension(path)] = Parse(path);
            }
            catch (JsonException e)
            {
                Console.Error.WriteLine($"{path}: left out, {e.Message}");
            }
        }

        return parts;
    }

    private static JsonNode Parse(string path) => Path.GetExtension(path) == ".json"
        ? JsonNode.Parse(File.ReadAllText(path))!
        : new JsonArray([.. File.ReadLines(path).Where(line => line.Length > 0).Select(line => JsonNode.Parse(line))]);

    private static string? Join(string? note, string? why) => note is null ? why : why is null ? note
        : $"{note}; {why}";

    private static Option<string> Text(string name, string help, string description) =>
        new(name) { HelpName = help, Description = description, Required = true };
}
