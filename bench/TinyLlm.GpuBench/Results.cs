using System.Text.Encodings.Web;
using System.Text.Json;

namespace TinyLlm.GpuBench;

/// <summary>
/// The results of a command: a Markdown table on standard output that grows line by line, and the same as JSON, written
/// anew with each line, so that a run that is cut short keeps what it has.
/// </summary>
internal sealed class Results
{
    public static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string command, device;
    private readonly FileInfo? file;
    private readonly List<object> rows = [];
    private readonly List<string> failures = [];

    /// <summary>Prints the head of the table.</summary>
    public Results(string command, string device, FileInfo? file, params string[] columns)
    {
        (this.command, this.device, this.file) = (command, device, file);
        Console.WriteLine($"{command} on {device}\n");
        Console.WriteLine(Line(columns));
        Console.WriteLine(Line(columns.Select(_ => "---")));
    }

    /// <summary>0, or 1 once a row failed.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Adds a row: for people <paramref name="cells"/>, for programs <paramref name="result"/>.</summary>
    public void Add(object result, bool passed, params string[] cells)
    {
        if (!passed)
            ExitCode = 1;
        rows.Add(result);
        Console.WriteLine(Line(cells));
        Write();
    }

    /// <summary>
    /// Makes a measurement. Whatever a driver throws is a finding: it is kept, and false returned, so that the others
    /// go on.
    /// </summary>
    public bool Try(string what, Action measure)
    {
        try
        {
            measure();
            return true;
        }
        catch (Exception e)
        {
            ExitCode = 1;
            failures.Add($"{what}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            Console.Error.WriteLine($"{failures[^1]}\n{e.StackTrace}");
            Write();
            return false;
        }
    }

    private void Write()
    {
        if (file is not null)
        {
            File.WriteAllText(
                file.FullName, JsonSerializer.Serialize(new { command, device, results = rows, failures }, Json));
        }
    }

    /// <summary>A line of a Markdown table.</summary>
    public static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";
}
