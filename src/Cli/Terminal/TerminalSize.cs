using System.Runtime.InteropServices;

namespace TinyLlm.Cli.Terminal;

/// <summary>How wide the terminals are that the program writes to, now.</summary>
internal static class TerminalSize
{
    /// <summary>Columns of a terminal that does not say.</summary>
    public const int Usual = 80;

    /// <summary>Columns of the terminal that stdout is; null where it is none.</summary>
    public static int? OutputColumns => Console.IsOutputRedirected ? null : Columns(1);

    /// <summary>Columns of the terminal that stderr is; null where it is none.</summary>
    public static int? ErrorColumns => Console.IsErrorRedirected ? null : Columns(2);

    private static int Columns(int descriptor)
    {
        // The runtime asks the terminals behind stdin and stdout alone.
        if (OperatingSystem.IsLinux() && GetWindowSize(descriptor, 0x5413 /* TIOCGWINSZ */, out WindowSize size) == 0)
            return size.Columns > 0 ? size.Columns : Usual;
        try
        {
            return Console.WindowWidth is > 0 and int columns ? columns : Usual;
        }
        catch (Exception e) when (e is IOException or PlatformNotSupportedException)
        {
            return Usual;
        }
    }

    [DllImport("libc", EntryPoint = "ioctl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetWindowSize(int descriptor, nuint request, out WindowSize size);

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowSize
    {
        public ushort Rows, Columns, Width, Height;
    }
}
