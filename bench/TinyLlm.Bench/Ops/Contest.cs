using System.Diagnostics;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Ops;

/// <summary>The same work done by each side, whose results have been compared.</summary>
/// <param name="Op">What it is.</param>
/// <param name="Flops">Operations of one call.</param>
/// <param name="Ours">TinyLlm's call.</param>
/// <param name="Theirs">libtorch's call.</param>
/// <param name="OpenBlas">OpenBLAS's call, where it is found and has such a call.</param>
internal sealed record Contest(string Op, double Flops, Action Ours, Action Theirs, Action? OpenBlas = null)
{
    // Long enough for the clock and the caches to settle, short enough for many rounds.
    private const double SecondsPerMeasurement = 0.05;

    // .NET compiles what runs often once more, with all optimisations, a tenth of a second after it saw that.
    private const double WarmUpSeconds = 0.4;

    /// <summary>Times all sides in turn; the times are of one call.</summary>
    public (Sample Ours, Sample Theirs, Sample? OpenBlas) Measure(int rounds)
    {
        foreach (var call in ((Action?[])[Ours, Theirs, OpenBlas]).OfType<Action>())
            WarmUp(call);
        Rest.UntilThreadsSleep();
        var trial = new Sample();
        trial.Measure(Ours, 1);
        int calls = Math.Clamp((int)(SecondsPerMeasurement / trial.Median), 1, 1000);
        var (ours, theirs, openBlas) = (new Sample(), new Sample(), OpenBlas is null ? null : new Sample());
        for (int round = 0; round < rounds; round++)
        {
            ours.Measure(Ours, calls);
            theirs.Measure(Theirs, calls);
            Rest.UntilThreadsSleep();
            if (OpenBlas is null)
                continue;
            openBlas!.Measure(OpenBlas, calls);
            Rest.UntilThreadsSleep();
        }

        return (ours, theirs, openBlas);
    }

    private static void WarmUp(Action call)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed.TotalSeconds < WarmUpSeconds)
            call();
    }
}
