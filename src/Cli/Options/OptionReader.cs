using System.CommandLine;
using System.Globalization;

namespace TinyLlm.Cli;

/// <summary>
/// Values of a command's options: from the command line; else, in a resumed run, from the run's <c>trainer.json</c>;
/// else a default. In a resumed run only options that do not change what is learned may be given anew (steps, device,
/// threads, memory, cadence); others must be as they were.
/// </summary>
internal sealed class OptionReader(ParseResult parse, IReadOnlyDictionary<string, string>? saved)
{
    private readonly Dictionary<string, string> used = [];
    private readonly List<string> conflicts = [];

    /// <summary>All values that were read, by option: what a checkpoint keeps.</summary>
    public Dictionary<string, string> Used => new(used);

    /// <summary>Whether a run is gone on with.</summary>
    public bool IsResume => saved is not null;

    /// <summary>Whether the option stands on the command line.</summary>
    public bool IsGiven(Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>An option that a resume may change.</summary>
    public T Free<T>(Option<T> option, T fallback) =>
        Use(option, IsGiven(option) ? parse.GetValue(option)! : Saved(option, out T value) ? value : fallback);

    /// <summary>An option that a resume must leave as it was.</summary>
    public T Fixed<T>(Option<T> option, T fallback)
    {
        bool known = Saved(option, out T before);
        if (!IsGiven(option))
            return Use(option, known ? before : fallback);

        T given = parse.GetValue(option)!;
        if (known && Format(given) != Format(before))
        {
            conflicts.Add($"{option.Name} {Format(given).ReplaceLineEndings(" ")} (the run has "
                + $"{Format(before).ReplaceLineEndings(" ")})");
        }
        else if (saved is not null && !known)
            conflicts.Add($"{option.Name} {Format(given).ReplaceLineEndings(" ")} (the run has none)");
        return Use(option, known ? before : given);
    }

    /// <summary>Refuses a resume with other settings.</summary>
    /// <exception cref="TinyLlmException">Options were given that differ from the run's; all of them are
    /// named.</exception>
    public void CheckResume()
    {
        if (conflicts.Count > 0)
        {
            throw new TinyLlmException(
                $"--resume: these settings differ from the run's: {string.Join(", ", conflicts)}. " +
                "Leave them out, or begin a new run; only steps, device, threads, --micro-batch, --recompute and "
                + "cadence may change.");
        }
    }

    private T Use<T>(Option option, T value)
    {
        // An absent value (no --val-data) is not kept.
        if (value is not null && Format(value) is { Length: > 0 } text)
            used[option.Name] = text;
        return value;
    }

    private bool Saved<T>(Option option, out T value)
    {
        value = default!;
        if (saved is null || !saved.TryGetValue(option.Name, out string? text))
            return false;
        object saidBefore = ReadSaved(typeof(T), text) ?? throw new TinyLlmException(
            $"--resume: the checkpoint's trainer.json has \"{text.ReplaceLineEndings(" ")}\" for {option.Name}; "
            + "expected what the option takes. The file was changed by hand.");
        value = (T)saidBefore;
        return true;
    }

    // Null where it is no value of the type.
    private static object? ReadSaved(Type type, string text) =>
        Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) switch
        {
            TypeCode.String => text,
            TypeCode.Boolean => bool.TryParse(text, out bool value) ? value : null,
            TypeCode.Int32 => NumberText.TryParse(text, out int value) ? value : null,
            TypeCode.UInt64 => NumberText.TryParse(text, out ulong value) ? value : null,
            TypeCode.Int64 => NumberText.TryParse(text, out long value) ? value : null,
            TypeCode.Single => NumberText.TryParse(text, out float value) ? value : null,
            TypeCode.Double => NumberText.TryParse(text, out double value) ? value : null,
            _ when type == typeof(string[]) => text.Split('\n'),
            _ => throw new NotSupportedException($"A checkpoint keeps no {type.Name}; add it here."),
        };

    private static string Format<T>(T value) => value switch
    {
        string[] list => string.Join('\n', list),
        double number => NumberText.Exact(number),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value?.ToString() ?? "",
    };
}
