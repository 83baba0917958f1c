namespace TinyLlm.Cli;

/// <summary>What a user should know and what ends nothing: a line on stderr.</summary>
internal static class Notes
{
    /// <summary>Shows a note.</summary>
    public static void Show(string text) => Console.Error.WriteLine($"note: {text}");
}
