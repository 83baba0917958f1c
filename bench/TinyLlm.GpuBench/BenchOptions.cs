using System.CommandLine;

namespace TinyLlm.GpuBench;

/// <summary>Options that every measurement takes.</summary>
internal sealed class BenchOptions
{
    private readonly Option<string> device =
        new("--device") { Description = "auto, cuda, opencl, cpu or simulated.", DefaultValueFactory = _ => "auto" };
    private readonly Option<FileInfo?> json = JsonFile();
    private readonly Option<bool> quick = QuickOption();

    /// <summary>--quick.</summary>
    public static Option<bool> QuickOption() =>
        new("--quick") { Description = "Tiny sizes: proves that the command runs, also without a GPU." };

    /// <summary>--json.</summary>
    public static Option<FileInfo?> JsonFile() =>
        new("--json") { HelpName = "FILE", Description = "Write the results here too." };

    /// <summary>--only: names apart by commas; nothing is everything.</summary>
    public static Option<string> OnlyOption(string what) =>
        new("--only") { HelpName = "a,b", Description = what, DefaultValueFactory = _ => "" };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { device, quick, json })
            command.Options.Add(option);
    }

    /// <summary>Whether the sizes are to be tiny.</summary>
    public bool Quick(ParseResult parse) => parse.GetValue(quick);

    /// <summary>Where the results go.</summary>
    public FileInfo? Json(ParseResult parse) => parse.GetValue(json);

    /// <summary>The name of the device that was asked for.</summary>
    public string DeviceName(ParseResult parse) => parse.GetValue(device)!;

    /// <summary>Keeps those whose name is among <paramref name="only"/>.</summary>
    /// <exception cref="TinyLlmException">A name is not among them.</exception>
    public static IReadOnlyList<T> Select<T>(IReadOnlyList<T> all, Func<T, string> name, string only)
    {
        string[] wanted = only.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (Array.Find(wanted, w => !all.Any(item => name(item) == w)) is { } unknown)
        {
            throw new TinyLlmException(
                $"--only {unknown}: expected names among {string.Join(", ", all.Select(name).Distinct())}.");
        }

        return wanted.Length == 0 ? all : [.. all.Where(item => wanted.Contains(name(item)))];
    }
}
