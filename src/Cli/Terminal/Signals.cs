using System.Runtime.InteropServices;

namespace TinyLlm.Cli.Terminal;

/// <summary>
/// Ctrl-C, SIGTERM and the end of the terminal (SIGHUP), as one token: what is being done can be saved first. The
/// runtime leaves a signal ignored that was so when the program was started, as SIGHUP is under nohup.
/// </summary>
internal sealed class Signals : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    public Signals() => registrations =
    [
        On(PosixSignal.SIGINT, source.Cancel), On(PosixSignal.SIGTERM, source.Cancel),
        On(PosixSignal.SIGHUP, source.Cancel),
    ];

    /// <summary>Cancelled by the first of them.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>Does something when a signal comes, in place of ending the program.</summary>
    public static PosixSignalRegistration On(PosixSignal signal, Action action) =>
        PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action();
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in registrations)
            registration.Dispose();
        source.Dispose();
    }
}
