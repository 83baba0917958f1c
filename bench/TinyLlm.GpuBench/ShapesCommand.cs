using System.CommandLine;
using System.Text.Json;

namespace TinyLlm.GpuBench;

/// <summary><c>shapes</c>: what the other commands time, as JSON: bench/peers times the same.</summary>
internal static class ShapesCommand
{
    public static Command Create()
    {
        var quick = BenchOptions.QuickOption();
        var steps = StepsOption();
        var command = new Command("shapes", "Print what is timed as JSON, for bench/peers.") { quick, steps };
        command.SetAction(parse =>
        {
            bool isQuick = parse.GetValue(quick);
            Console.WriteLine(JsonSerializer.Serialize(
                new { quick = isQuick, products = Sizes.Products(isQuick), attention = Sizes.Attention(isQuick),
                    training = Sizes.Training(isQuick, parse.GetValue(steps)) }, Results.Json));
        });
        return command;
    }

    /// <summary>--steps.</summary>
    public static Option<int> StepsOption() =>
        new("--steps") { HelpName = "N", Description = "Steps that are timed; absent: as many as take seconds." };
}
