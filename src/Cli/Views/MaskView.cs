using System.Text;
using Spectre.Console;
using TinyLlm.Data;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>
/// Shows on stdout what a model learns from: examples as text, the trained tokens green on a terminal and in brackets
/// elsewhere.
/// </summary>
internal static class MaskView
{
    private const string Opening = "⟦", Closing = "⟧";

    private static readonly Style Trained = new(Color.Green, decoration: Decoration.Bold), Read = new(Color.Grey);

    /// <summary>Shows the first <paramref name="count"/> examples, as far as they are scored.</summary>
    public static void Show(IExamples examples, Tokenizer tokenizer, int count)
    {
        bool coloured = !Console.IsOutputRedirected;
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(Console.Out),
                Ansi = coloured ? AnsiSupport.Detect
            : AnsiSupport.No
            });
        int[] tokens = new int[examples.Length], targets = new int[examples.Length], starts = new int[examples.Length];
        for (int index = 0; index < Math.Min(count, examples.Count); index++)
        {
            examples.Read(0, index, tokens, targets);
            examples.ReadStarts(0, index, starts);
            int scored = targets.Count(t => t >= 0), end = Array.FindLastIndex(targets, t => t >= 0) + 1;
            Console.WriteLine($"example {index + 1} of {examples.Count:N0}: {scored} of {end} tokens are learned");
            for (int start = 0, next; start < end; start = next)
            {
                next = start + 1;
                while (next < end && starts[next] == starts[start])
                    next++;
                foreach (var (text, trained) in Runs(
                    tokenizer, tokens.AsSpan(start..next), targets.AsSpan(start..next)))
                {
                    if (coloured)
                        console.Write(new Text(text, trained ? Trained : Read));
                    else
                        Console.Write(trained ? Opening + text + Closing : text);
                }

                Console.WriteLine();
                if (next < end)
                    Console.WriteLine("--- shares the row, not seen by the others ---");
            }

            Console.WriteLine();
        }

        if (!coloured)
            Console.WriteLine($"What stands between {Opening} and {Closing} is learned.");
    }

    // Neighbouring tokens that are all trained or all not, as one text: characters may be made of several tokens.
    private static List<(string Text, bool Trained)> Runs(
        Tokenizer tokenizer, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets)
    {
        var runs = new List<(string, bool)>();
        var bytes = new List<byte>();
        bool trained = false;
        for (int i = 0; i <= tokens.Length; i++)
        {
            // The last target stands behind the document's last token.
            bool isTrained = i > 0 && targets[i - 1] >= 0;
            if (i == tokens.Length && !isTrained)
                break;
            if (isTrained != trained)
                Flush();
            trained = isTrained;
            bytes.AddRange(tokenizer.TokenBytes(i < tokens.Length ? tokens[i] : targets[i - 1]));
        }

        Flush();
        return runs;

        void Flush()
        {
            if (bytes.Count > 0)
                runs.Add((Encoding.UTF8.GetString([.. bytes]), trained));
            bytes.Clear();
        }
    }
}
