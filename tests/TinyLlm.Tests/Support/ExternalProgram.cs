using System.Diagnostics;

namespace TinyLlm.Tests.Support;

/// <summary>A program of others that has ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Its stdout.</param>
/// <param name="Error">Its stderr.</param>
public sealed record ExternalProgram(int ExitCode, string Output, string Error)
{
    /// <summary>Runs a program to its end.</summary>
    public static ExternalProgram Run(string file, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ExternalProgram(process.ExitCode, output, error.GetAwaiter().GetResult());
    }
}
