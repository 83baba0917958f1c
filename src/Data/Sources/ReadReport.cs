namespace TinyLlm.Data.Sources;

/// <summary>A line of a file that could not be read.</summary>
/// <param name="File">The file.</param>
/// <param name="Line">Line number from 1.</param>
/// <param name="Reason">What is wrong with it.</param>
public sealed record BadLine(string File, long Line, string Reason)
{
    /// <summary>As it is shown to the user.</summary>
    public override string ToString() => $"{File}, line {Line}: {Reason}";
}

/// <summary>What reading found. Several threads may add to it at once.</summary>
public sealed class ReadReport
{
    /// <summary>How many bad lines are kept; the others are only counted.</summary>
    public const int KeptBadLines = 10;

    private readonly Lock badLinesLock = new();
    private readonly List<BadLine> badLines = [];
    private readonly HashSet<string> filesNotUtf8 = new(StringComparer.Ordinal);
    private long documents, emptyDocuments, bytes, documentsNotUtf8, badLineCount;

    /// <summary>Documents read to their end, without empty ones.</summary>
    public long Documents => Interlocked.Read(ref documents);

    /// <summary>Documents without any text, which are left out.</summary>
    public long EmptyDocuments => Interlocked.Read(ref emptyDocuments);

    /// <summary>Bytes of text.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>
    /// Documents that are not valid UTF-8, or not valid in the encoding that was named or that their byte order mark
    /// says.
    /// </summary>
    public long DocumentsNotUtf8 => Interlocked.Read(ref documentsNotUtf8);

    /// <summary>Lines that were left out.</summary>
    public long BadLineCount => Interlocked.Read(ref badLineCount);

    /// <summary>The first bad lines, at most <see cref="KeptBadLines"/>, in the order in which they were met.</summary>
    public IReadOnlyList<BadLine> BadLines
    {
        get
        {
            lock (badLinesLock)
                return [.. badLines];
        }
    }

    /// <summary>Adds what another report says.</summary>
    public void Add(ReadReport other)
    {
        Interlocked.Add(ref documents, other.Documents);
        Interlocked.Add(ref emptyDocuments, other.EmptyDocuments);
        Interlocked.Add(ref bytes, other.Bytes);
        Interlocked.Add(ref badLineCount, other.BadLineCount);
        lock (badLinesLock)
        {
            badLines.AddRange(other.BadLines.Take(KeptBadLines - badLines.Count));
            Interlocked.Add(
                ref documentsNotUtf8,
                other.DocumentsNotUtf8 - other.filesNotUtf8.Count(file => !filesNotUtf8.Add(file)));
        }
    }

    internal void AddText(int count) => Interlocked.Add(ref bytes, count);

    internal void AddDocument() => Interlocked.Increment(ref documents);

    internal void AddEmptyDocuments(long count) => Interlocked.Add(ref emptyDocuments, count);

    internal void AddDocumentNotUtf8() => Interlocked.Increment(ref documentsNotUtf8);

    /// <summary>A document that is a file, perhaps read in several units: it counts once.</summary>
    internal void AddFileNotUtf8(string path)
    {
        lock (badLinesLock)
        {
            if (filesNotUtf8.Add(path))
                AddDocumentNotUtf8();
        }
    }

    /// <param name="reason">What is wrong.</param>
    /// <param name="lineNumber">Finds the number of the line, which may need to read the file; asked only for lines
    /// that are kept.</param>
    internal void AddBadLine(string file, string reason, Func<long> lineNumber)
    {
        if (Interlocked.Increment(ref badLineCount) > KeptBadLines)
            return;

        var line = new BadLine(file, lineNumber(), reason);
        lock (badLinesLock)
            badLines.Add(line);
    }
}
