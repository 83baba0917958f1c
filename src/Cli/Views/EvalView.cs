using System.Globalization;
using TinyLlm.Tokenizers;
using TinyLlm.Training;

namespace TinyLlm.Cli;

/// <summary>Shows what eval measured: lines for one model, a table for several.</summary>
internal static class EvalView
{
    private const string Nothing = "-", DifferenceName = "difference";

    /// <summary>One model's lines.</summary>
    public static IEnumerable<string> Lines(EvalResult result)
    {
        if (result.Loss is { } e)
        {
            string bits = e.Unknown > 0 ? $"{Nothing} bits/byte ({Unknown(e)})" : Text($"{e.BitsPerByte:F4} bits/byte");
            yield return Text($"{e.Tokens:N0} tokens  loss {e.Loss:F4}  perplexity {e.Perplexity:F3}  {bits}");
        }

        foreach (var (name, rows) in result.Shares())
        {
            var (right, all) = Count(rows);
            yield return Text($"{name} {right} of {all}, {Share(right, all)}");
        }
    }

    /// <summary>
    /// Models side by side, with 95% confidence intervals; shares also as differences to the first model's, over the
    /// rows that both have.
    /// </summary>
    /// <param name="models">Their folders.</param>
    /// <param name="results">What was measured of each.</param>
    /// <param name="width">Cells of a line: columns that do not fit follow below, beside the models' names once
    /// more.</param>
    public static IEnumerable<string> Table(
        IReadOnlyList<string> models, IReadOnlyList<EvalResult> results, int width = int.MaxValue)
    {
        var columns = new List<string[]> { models.Prepend("model").ToArray() };
        if (results.All(r => r.Loss is not null))
        {
            columns.Add(
                Column("loss",
                r => Figure(
                    r.Loss!.Loss, Interval.OfRatio([.. r.Examples.Select(x => (x.Loss, (double)x.Tokens))]), "F4")));
            columns.Add(Column("perplexity", r => Figure(r.Loss!.Perplexity,
                Interval.OfRatio([.. r.Examples.Select(x => (x.Loss, (double)x.Tokens))]) is { } i
                ? new Interval(Math.Exp(i.Low), Math.Exp(i.High)) : null, "F3")));
            columns.Add(Column("bits/byte", r => r.Loss!.Unknown > 0 ? Nothing : Figure(r.Loss!.BitsPerByte,
                Interval.OfRatio([.. r.Examples.Select(x => (x.Loss / Math.Log(2), (double)x.Bytes))]), "F4")));
        }

        var shares = results.Select(r => r.Shares().ToList()).ToList();
        for (int share = 0; share < shares[0].Count; share++)
        {
            var first = shares[0][share];
            columns.Add([first.Name, .. shares.Select(s => Share(Count(s[share].Rows)))]);
            var differences = shares.Skip(1).Select(s => Difference(s[share].Rows, first.Rows));
            columns.Add([DifferenceName, Nothing, .. differences]);
        }

        for (int first = 1, next; first < columns.Count; first = next)
        {
            next = End(first);
            int room = width - Width(columns[0]);
            while (next < columns.Count && columns[first..End(next)].Sum(c => 2 + Width(c)) <= room)
                next = End(next);
            for (int line = 0; line <= models.Count; line++)
            {
                var cells = columns[first..next].Prepend(columns[0]).Select(c => c[line].PadRight(Width(c)));
                yield return string.Join("  ", cells).TrimEnd();
            }
        }

        // A share and its difference stay together.
        int End(int column) =>
            column + 1 < columns.Count && columns[column + 1][0] == DifferenceName ? column + 2 : column + 1;

        static int Width(string[] column) => column.Max(cell => cell.Length);

        foreach (var (model, result) in models.Zip(results))
        {
            if (result.Loss is { Unknown: > 0 } loss && results.All(r => r.Loss is not null))
                yield return $"{model}: no bits/byte: {Unknown(loss)}";
        }

        string[] Column(string name, Func<EvalResult, string> cell) => [name, .. results.Select(cell)];
    }

    /// <summary>How many rows a model was not asked, because they are longer than its context.</summary>
    public static int LeftOut(EvalResult result) => result.Choices?.ByLikelihood.Count(right => right is null) ?? 0;

    private static string Unknown(Evaluation e) =>
        Text($"{e.Unknown:N0} of the tokens are {WordTokenizer.UnknownToken}, whose bytes are not known");

    private static (int Right, int All) Count(IReadOnlyList<bool?> rows) =>
        (rows.Count(right => right == true), rows.Count(right => right is not null));

    private static string Share((int Right, int All) count) => Share(count.Right, count.All);

    private static string Share(int right, int all)
    {
        var interval = Interval.OfShare(right, all);
        return Text($"{100.0 * right / all:F1}% [{100 * interval.Low:F1}, {100 * interval.High:F1}]");
    }

    private static string Difference(IReadOnlyList<bool?> rows, IReadOnlyList<bool?> first)
    {
        return Interval.OfDifference(rows, first) is var (difference, interval)
            ? $"{Signed(difference)} [{Signed(interval.Low)}, {Signed(interval.High)}]" : Nothing;
    }

    private static string Signed(double share) => (100 * share).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Figure(double value, Interval? interval, string format) =>
        Number(value, format) + (interval is { } i ? $" [{Number(i.Low, format)}, {Number(i.High, format)}]" : "");

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
