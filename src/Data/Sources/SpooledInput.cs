using System.Globalization;
using System.IO.Hashing;
using TinyLlm.Data.Tokens;

namespace TinyLlm.Data.Sources;

/// <summary>
/// What can be read only once, and from its beginning: standard input, <c>&lt;(...)</c>, a named pipe. It is copied to
/// a temporary file, which all who read the data open, and which is deleted when the program ends. Such a name tells no
/// format: the first bytes do.
/// </summary>
public static class SpooledInput
{
    private const int BufferBytes = 1 << 16;

    // O_CLOEXEC, octal as the system writes it. What a program is given by another cannot have it.
    private const int CloseOnExec = 0x80000;

    // A pipe gives what it has once in the life of the process, so that who has read it is known to all of it.
    private static readonly Dictionary<string, SourceFile> Taken = new(StringComparer.Ordinal);
    private static readonly Lock Gate = new();

    /// <summary>What was read from a path; null where it is a file like others.</summary>
    internal static SourceFile? Find(string path)
    {
        lock (Gate)
            return Taken.GetValueOrDefault(path);
    }

    /// <summary>Reads all words that are pipes to their ends, in turn.</summary>
    /// <param name="words">Words of --data: paths, with a weight behind them or not; others are left alone.</param>
    /// <param name="stop">Ends it, also where nothing comes from a pipe.</param>
    /// <exception cref="TinyLlmException">One cannot be read or copied, or standard input is closed.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static void TakeAll(IEnumerable<string> words, CancellationToken stop)
    {
        foreach (string word in words.Where(word => !TextData.IsBuiltin(word)))
            Take(File.Exists(word) || word.LastIndexOf('=') is not (> 0 and int weight) ? word : word[..weight], stop);
    }

    /// <summary>Reads a path to its end, unless it is a file that can be read again, or was taken before.</summary>
    /// <param name="path">The path; nothing is done if there is none.</param>
    /// <param name="stop">Ends it, also where nothing comes from the pipe.</param>
    /// <exception cref="TinyLlmException">It cannot be read or copied, or standard input is closed.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal static void Take(string path, CancellationToken stop)
    {
        bool isDescriptor = IsDescriptor(path, out int descriptor);
        if (isDescriptor)
            RefuseClosed(path, descriptor);
        if (!File.Exists(path) || Find(path) is not null || !isDescriptor && Length(path) != 0)
            return;

        // A read from a pipe that stays open ends when the other side says so: this thread must not be the one that
        // waits.
        var copy = Task.Factory.StartNew(() => Copy(path, stop), CancellationToken.None,
            TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (ResultOf(copy, path, stop) is not { } file)
            return;
        lock (Gate)
            Taken.TryAdd(path, file);
    }

    private static SourceFile? ResultOf(Task<SourceFile?> copy, string path, CancellationToken stop)
    {
        try
        {
            copy.Wait(stop);
            return copy.Result;
        }
        catch (AggregateException e)
        {
            throw e.InnerException switch
            {
                TinyLlmException known => new TinyLlmException(known.Message, known),
                OperationCanceledException => new OperationCanceledException(stop),
                { } other when FileErrors.Is(other) => FileErrors.Reading(path, other),
                _ => e,
            };
        }
    }

    // Nothing where it is a file after all, and an empty one.
    private static SourceFile? Copy(string path, CancellationToken stop)
    {
        using Stream input = Open(path);

        // On Linux each opening of a descriptor's name begins anew.
        if (OperatingSystem.IsLinux() && input is FileStream { CanSeek: true, Length: > 0 } regular)
            return Describe(path, path, regular.Length, null);
        string name = Path.Combine(Path.GetTempPath(), $"tinyllm-{Guid.NewGuid():N}.input");
        var hash = new XxHash128();
        long length = 0;
        try
        {
            using var output = new FileStream(name, FileMode.CreateNew, FileAccess.Write, FileShare.Read, BufferBytes);
            AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(name);
            byte[] buffer = new byte[BufferBytes];
            for (int read; (read = Read(path, input, buffer)) > 0; length += read)
            {
                stop.ThrowIfCancellationRequested();
                hash.Append(buffer.AsSpan(0, read));
                output.Write(buffer.AsSpan(0, read));
            }
        }
        catch (Exception e)
        {
            Delete(name);
            if (!FileErrors.Is(e))
                throw;
            throw new TinyLlmException($"{path}: it is read once, and its copy could not be kept. "
                + $"{FileErrors.Writing(name, e, kept: false).Message} The folder for temporary files can be set by "
                + "TMPDIR.", e);
        }

        return length > 0 || !input.CanSeek
            ? Describe(path, name, length, Convert.ToHexStringLower(hash.GetCurrentHash())) : null;
    }

    private static Stream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
                bufferSize: 0);
        }
        catch (Exception e) when (FileErrors.Is(e) && IsDescriptor(path, out int descriptor) && descriptor == 0)
        {
            return Console.OpenStandardInput(); // a socket can be read, but not opened by its name
        }
    }

    private static int Read(string path, Stream input, byte[] buffer)
    {
        try
        {
            return input.Read(buffer);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static void Delete(string name)
    {
        try
        {
            File.Delete(name);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            // It lies among temporary files, and nobody can be told any more.
        }
    }

    private static SourceFile Describe(string path, string onDisk, long length, string? checksum)
    {
        var file = new SourceFile(path, length, File.GetLastWriteTimeUtc(onDisk),
            new SourceFormat(Content.Text, Compression.None, IsKnown: true))
        { OnDisk = onDisk, Checksum = checksum };
        var compressed = file with { Format = file.Format with { Compression = CompressionOf(Head(file)) } };
        return compressed with { Format = FormatOf(compressed) };
    }

    private static Compression CompressionOf(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 8]) ? Compression.Gzip
            : head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) ? Compression.Zstandard : Compression.None;

    // Text, unless it plainly is something else.
    private static SourceFormat FormatOf(SourceFile file)
    {
        byte[] head = Head(file);
        if (head.AsSpan().StartsWith("PAR1"u8))
            return file.Format with { Content = Content.Parquet };
        if (BinFile.HasHeader(head))
            return file.Format with { Content = Content.Tokens };
        using var text = TextEncoding.Of(file, null).Open(file, new NotedReplacement());
        foreach (var line in JsonLines.Read(file.Path, text, () => 0))
        {
            if (line.IsBlank)
                continue;
            byte first = line.Bytes.Span.TrimStart(" \t\r"u8)[0];
            return first == '{' && JsonText.IsObject(line.Bytes) ? file.Format with { Content = Content.JsonLines }
                : file.Format with { IsJson = first is (byte)'{' or (byte)'[' };
        }

        return file.Format;
    }

    private static byte[] Head(SourceFile file)
    {
        byte[] head = new byte[TextEncoding.HeadBytes];
        using var stream = file.Open();
        return head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
    }

    // A pipe has no length, like an empty file.
    private static long Length(string path)
    {
        try
        {
            var info = File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo ?? new FileInfo(path);
            return info.Exists ? info.Length : 0;
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    private static bool IsDescriptor(string path, out int descriptor)
    {
        descriptor = 0;
        if (path is "/dev/stdin")
            return true;
        foreach (string folder in (string[])["/dev/fd/", "/proc/self/fd/"])
        {
            if (path.StartsWith(folder, StringComparison.Ordinal))
            {
                return int.TryParse(path.AsSpan(folder.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                    out descriptor);
            }
        }

        return false;
    }

    // The runtime itself takes the numbers of closed descriptors, also for pipes that it holds both ends of, from which
    // nothing ever comes.
    private static void RefuseClosed(string path, int descriptor)
    {
        if (!File.Exists(path) || IsOfRuntime(descriptor))
        {
            throw new TinyLlmException($"{path}: {(descriptor == 0 ? "standard input" : $"descriptor {descriptor}")} "
                + "is closed; expected data from a file or a pipe, as in: cat FILE | ...");
        }
    }

    private static bool IsOfRuntime(int descriptor)
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            string? flags = File.ReadLines($"/proc/self/fdinfo/{descriptor}").FirstOrDefault(line =>
                line.StartsWith("flags:", StringComparison.Ordinal));
            return flags is not null && (Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & CloseOnExec) != 0;
        }
        catch (Exception e) when (FileErrors.Is(e) || e is FormatException or OverflowException)
        {
            return false; // no /proc, or another form of it
        }
    }
}
