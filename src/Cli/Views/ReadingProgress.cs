using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>Shows on a terminal's stderr how much of the input is read; elsewhere nothing.</summary>
/// <param name="total">Bytes of input.</param>
internal sealed class ReadingProgress(long total)
{
    private readonly FieldLine fields = new();
    private long read;

    /// <summary>Does the work inside the display.</summary>
    /// <param name="work">Calls what it is given, from any thread, with each number of bytes that is read.</param>
    public T Run<T>(Func<Action<long>, T> work)
    {
        if (!ErrorConsole.IsLive || total == 0)
            return work(_ => { });

        using var line = new StatusLine(first: TimeSpan.FromSeconds(0.3));
        return work(bytes =>
        {
            double share = Math.Min(1, (double)Interlocked.Add(ref read, bytes) / total);
            string left = ProgressView.Time(line.Clock.Elapsed.TotalSeconds * (1 - share) / share);
            line.ShowBar(share, room => fields.Fit(room, new Field("reading"), new Field($"{left} left", 1)));
        });
    }
}
