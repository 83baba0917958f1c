using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace TinyLlm.Tests.Support;

/// <summary>
/// A terminal of some width that a shell's commands can write to by its <see cref="Name"/>. Linux only.
/// </summary>
public sealed partial class PseudoTerminal : IDisposable
{
    // O_RDWR, O_NOCTTY, O_CLOEXEC
    private const int ReadWrite = 2, NoControllingTerminal = 0x100, CloseOnExec = 0x80000;

    private readonly FileStream master;
    private readonly StringBuilder shown = new();
    private readonly Thread reader;

    public PseudoTerminal()
    {
        int descriptor = Open("/dev/ptmx", ReadWrite | NoControllingTerminal | CloseOnExec);
        byte[] name = new byte[100];
        if (descriptor < 0 || Unlock(descriptor) != 0 || NameOf(descriptor, name, name.Length) != 0)
            throw new IOException("There is no pseudo-terminal to be had.");
        Name = Encoding.UTF8.GetString(name, 0, Array.IndexOf<byte>(name, 0));
        master = new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Read, bufferSize: 0);
        reader = new Thread(Read) { IsBackground = true };
        reader.Start();
    }

    /// <summary>Its device file.</summary>
    public string Name { get; }

    /// <summary>All that was written so far, with its control codes.</summary>
    public string Shown
    {
        get
        {
            lock (shown)
                return shown.ToString();
        }
    }

    /// <summary>
    /// What stood on lines, each as it was before the next one or before it was overwritten; without codes of colour.
    /// </summary>
    public string[] Lines => [.. Codes().Replace(Shown, "").Split('\n', '\r').Where(line => line.Length > 0)];

    /// <summary>Waits until all is read that commands that have ended wrote.</summary>
    public void Finish() => reader.Join(TimeSpan.FromSeconds(5));

    public void Dispose() => master.Dispose();

    private void Read()
    {
        byte[] buffer = new byte[4096];
        var decoder = Encoding.UTF8.GetDecoder();
        char[] characters = new char[buffer.Length];
        try
        {
            while (master.Read(buffer) is > 0 and int count)
            {
                int decoded = decoder.GetChars(buffer, 0, count, characters, 0);
                lock (shown)
                    shown.Append(characters, 0, decoded);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Nobody has it open any more, or it was closed.
        }
    }

    [GeneratedRegex(@"\u001b(\[[0-9;?]*[a-zA-Z]|[=>])")]
    private static partial Regex Codes();

    [DllImport("libc", EntryPoint = "open")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "unlockpt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unlock(int descriptor);

    [DllImport("libc", EntryPoint = "ptsname_r")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int NameOf(int descriptor, byte[] name, nint length);
}
