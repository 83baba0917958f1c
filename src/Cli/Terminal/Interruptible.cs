using System.Runtime.ExceptionServices;

namespace TinyLlm.Cli.Terminal;

/// <summary>
/// Work that cannot be asked to stop, such as waiting for input, and which nothing needs once the program ends.
/// </summary>
internal static class Interruptible
{
    /// <summary>
    /// Does the work on another thread and waits for it, or until it is stopped: then the thread is left behind, and
    /// ends with the program.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was stopped first.</exception>
    public static T Run<T>(Func<T> work, CancellationToken stop)
    {
        var done = new TaskCompletionSource<T>();
        new Thread(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { IsBackground = true }.Start();
        try
        {
            done.Task.Wait(stop);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
        }

        return done.Task.Result;
    }
}
