using Spectre.Console;

namespace TinyLlm.Cli;

/// <summary>Shows on a terminal's stderr how much of the input is read; elsewhere nothing.</summary>
/// <param name="total">Bytes of input.</param>
internal sealed class ReadingProgress(long total)
{
    /// <summary>Does the work inside the display.</summary>
    /// <param name="work">Calls what it is given, from any thread, with each number of bytes that is read.</param>
    public T Run<T>(Func<Action<long>, T> work)
    {
        if (!ErrorConsole.IsLive || total == 0)
            return work(_ => { });

        return ErrorConsole.Open().Progress().AutoClear(true).Columns(new ProgressBarColumn { Width = 24 }, new PercentageColumn(), new TaskDescriptionColumn(), new RemainingTimeColumn()).Start(context =>
        {
            var task = context.AddTask("reading", maxValue: total);
            return work(bytes => task.Increment(bytes));
        });
    }
}
