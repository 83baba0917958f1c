namespace TinyLlm.Bench.Timing;

/// <summary>
/// A pause between two sides. A library's threads look for the next operation before they sleep, on cores that the
/// other side needs: libtorch's (libgomp) were seen to take 6 to 10 ms of them after a step, and OpenBLAS's look for
/// 2^26 cycles by default.
/// </summary>
internal static class Rest
{
    private static readonly TimeSpan untilThreadsSleep = TimeSpan.FromMilliseconds(60);

    /// <summary>Waits until the threads of whoever ran last sleep.</summary>
    public static void UntilThreadsSleep() => Thread.Sleep(untilThreadsSleep);
}
