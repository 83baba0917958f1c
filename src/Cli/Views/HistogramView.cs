using System.Globalization;
using Spectre.Console;
using TinyLlm.Data.Sources;

namespace TinyLlm.Cli;

/// <summary>Shows a histogram of documents' lengths on stdout: bars on a terminal, plain lines elsewhere.</summary>
internal static class HistogramView
{
    private const int BarWidth = 60;

    /// <summary>Writes the bars.</summary>
    /// <param name="unit">What lengths count.</param>
    /// <param name="lengths">At least one length.</param>
    public static void Print(string unit, LengthHistogram lengths)
    {
        Console.WriteLine();
        OutputConsole.WriteLine($"{unit} a document: {lengths.Shortest:N0} to {lengths.Longest:N0}, "
            + $"{(double)lengths.Sum / lengths.Count:N0} on average");
        if (Console.IsOutputRedirected)
        {
            foreach (var bar in lengths.Bars)
                Console.WriteLine($"{Range(bar),27} {bar.Count,15:N0} {100.0 * bar.Count / lengths.Count,6:F1}%");
            return;
        }

        int width = Math.Min(BarWidth, OutputConsole.Width ?? BarWidth);
        var chart = new BarChart { Width = width, Culture = CultureInfo.InvariantCulture };
        foreach (var bar in lengths.Bars)
            chart.AddItem(Range(bar), bar.Count, Color.SteelBlue1);
        AnsiConsole.Write(chart);
    }

    private static string Range(LengthBar bar) => bar.From == bar.To ? $"{bar.From:N0}"
        : $"{bar.From:N0} to {bar.To:N0}";
}
