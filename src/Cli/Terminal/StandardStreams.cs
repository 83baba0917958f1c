using System.Runtime.InteropServices;

namespace TinyLlm.Cli.Terminal;

/// <summary>
/// Standard input, output and error as they may be found: files, pipes, terminals that go away, or closed.
/// </summary>
internal static class StandardStreams
{
    private const int GetDescriptorFlags = 1, CloseOnExec = 1; // F_GETFD, FD_CLOEXEC

    private static readonly bool InputClosed = IsClosed(0), OutputClosed = IsClosed(1), ErrorClosed = IsClosed(2);

    /// <summary>Whether somebody may type: standard input is a terminal.</summary>
    public static bool IsInputTerminal => !InputClosed && !Console.IsInputRedirected;

    /// <summary>
    /// Makes <see cref="Console.Out"/> and <see cref="Console.Error"/> outlive their terminal: a run is worth more than
    /// what it would have shown. To be called before anything is written.
    /// </summary>
    public static void Install()
    {
        if (OutputClosed)
            Console.SetOut(TextWriter.Null);
        else if (!Console.IsOutputRedirected)
            Console.SetOut(new TerminalWriter(Console.Out));
        if (ErrorClosed)
            Console.SetError(TextWriter.Null);
        else if (!Console.IsErrorRedirected)
            Console.SetError(new TerminalWriter(Console.Error));
    }

    /// <summary>Standard output, as bytes.</summary>
    public static Stream OpenOutput() => OutputClosed ? Stream.Null : Console.IsOutputRedirected
        ? Console.OpenStandardOutput() : new TerminalStream(Console.OpenStandardOutput());

    /// <summary>Standard input, as bytes; none where it is closed.</summary>
    public static Stream OpenInput() => InputClosed ? Stream.Null : Console.OpenStandardInput();

    /// <summary>All of standard input.</summary>
    /// <exception cref="OperationCanceledException">It was stopped while the input had not ended.</exception>
    public static byte[] ReadInput(CancellationToken stop) => Interruptible.Run(() =>
    {
        using var input = OpenInput();
        using var bytes = new MemoryStream();
        input.CopyTo(bytes);
        return bytes.ToArray();
    }, stop);

    // A descriptor that was closed when the program was started is taken by the first file or pipe that the runtime
    // opens for itself: to read from it may take for ever, and to write into it would be worse. What a program inherits
    // is never closed on exec, or it would not have inherited it; what the runtime opens always is.
    private static bool IsClosed(int descriptor)
    {
        if (OperatingSystem.IsWindows())
            return false; // a missing handle is no other's
        int flags = Control(descriptor, GetDescriptorFlags);
        return flags < 0 || (flags & CloseOnExec) != 0;
    }

    [DllImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int descriptor, int command);
}
