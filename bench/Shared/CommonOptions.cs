using System.CommandLine;

namespace TinyLlm.Bench.Timing;

/// <summary>Options that every timing takes.</summary>
internal static class CommonOptions
{
    public static Option<int> Threads() => Positive("--threads", Environment.ProcessorCount, "Threads of each side.");

    public static Option<int> Rounds() => Positive("--rounds", 7, "Rounds; in each, every side runs once, in turn.");

    /// <summary>An option that takes a whole number from 1.</summary>
    public static Option<int> Positive(string name, int defaultValue, string description)
    {
        var option = Positive<int>(name, description);
        option.DefaultValueFactory = _ => defaultValue;
        return option;
    }

    /// <summary>An option that takes a whole number from 1 or, as <c>int?</c>, may be absent.</summary>
    public static Option<T> Positive<T>(string name, string description)
    {
        var option = new Option<T>(name) { Description = description, HelpName = "n" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1)
                result.AddError($"{name} {value}: expected 1 or more.");
        });
        return option;
    }
}
