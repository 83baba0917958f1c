using Parquet;
using Parquet.Schema;

namespace TinyLlm.Data.Sources;

/// <summary>An open Parquet file, whose columns are checked before the library reads them. What is wrong with it is one
/// line for the user.</summary>
internal sealed class ParquetFile : IDisposable
{
    // Of what comes from the file and may be damaged: a name, or a message that has one.
    private const int LongestQuote = 300;

    private readonly SourceFile file;
    private readonly ParquetStream stream;
    private readonly ParquetReader reader;
    private readonly long footer;

    private ParquetFile(SourceFile file)
    {
        this.file = file;
        stream = new ParquetStream(OpenSeekable(file));
        try
        {
            footer = Guard(file, () => Task.FromResult(ParquetCheck.Footer(stream)));
            reader = Guard(file, () => ParquetReader.CreateAsync(stream));
            (Schema, Groups) = Guard(file, () => Task.FromResult((reader.Schema, reader.RowGroupCount)));
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Its columns.</summary>
    public ParquetSchema Schema { get; }

    /// <summary>Number of row groups.</summary>
    public int Groups { get; }

    /// <summary>Opens a file; a compressed one is decompressed to the disk first, because Parquet is read from its
    /// end.</summary>
    /// <exception cref="TinyLlmException">It cannot be read, or its metadata is damaged.</exception>
    public static ParquetFile Open(SourceFile file) => new(file);

    /// <summary>Bytes on disk of each row group.</summary>
    /// <exception cref="TinyLlmException">The metadata is damaged.</exception>
    public long[] GroupSizes() => Guard(() =>
    {
        return Task.FromResult<long[]>([.. reader.RowGroups.Select(group => group.RowGroup.Columns.Sum(column =>
            Size(column.MetaData?.TotalCompressedSize ?? 0)))]);

        long Size(long bytes) => bytes >= 0 && bytes <= stream.Length ? bytes
            : throw new InvalidDataException($"a column should have {bytes:N0} bytes");
    });

    /// <summary>Does something with a row group; what the library runs into is an error of the file.</summary>
    /// <exception cref="TinyLlmException">Its data is damaged.</exception>
    public T ReadGroup<T>(int group, Func<ParquetRowGroupReader, Task<T>> read) => Guard(async () =>
    {
        using var rows = reader.OpenRowGroupReader(group);
        return await read(rows);
    });

    /// <summary>Reads a column of a row group whose pages are checked before.</summary>
    /// <param name="rows">The row group.</param>
    /// <param name="column">The column.</param>
    /// <param name="read">Reads it; told its number of values, nulls included.</param>
    /// <exception cref="InvalidDataException">The pages are damaged.</exception>
    public async Task<T> ReadColumn<T>(ParquetRowGroupReader rows, DataField column, Func<int, Task<T>> read)
    {
        var chunk = rows.GetMetadata(column)?.MetaData
            ?? throw new InvalidDataException($"a row group lacks the column {column.Path}");
        stream.Limit = ParquetCheck.Pages(stream, chunk, rows.RowCount, column.MaxRepetitionLevel > 0, footer);
        var values = await read((int)chunk.NumValues);
        stream.Limit = footer;
        return values;
    }

    /// <summary>A text of the file for messages: of a bearable length, without control characters.</summary>
    public static string Quote(string text)
    {
        string shown = text.Length <= LongestQuote ? text : text[..LongestQuote] + "...";
        return string.Concat(shown.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '\uFFFD' : c));
    }

    /// <summary>Does something with what was read; whatever it runs into is an error of the file.</summary>
    /// <exception cref="TinyLlmException">It ran into something.</exception>
    public T Guard<T>(Func<Task<T>> read) => Guard(file, read);

    public void Dispose()
    {
        reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        stream.Dispose();
    }

    private static Stream OpenSeekable(SourceFile file)
    {
        Stream stream = file.Open();
        if (stream.CanSeek)
            return stream;

        using (stream)
        {
            // Under a name that is gone when the stream is closed.
            string path = Path.Combine(Path.GetTempPath(), $"tinyllm-{Guid.NewGuid():N}.parquet");
            try
            {
                var copy = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16,
                    FileOptions.DeleteOnClose);
                stream.CopyTo(copy);
                copy.Position = 0;
                return copy;
            }
            catch (Exception e) when (FileErrors.Is(e))
            {
                throw FileErrors.Writing(path, e, kept: false);
            }
        }
    }

    // The library reports damage by whatever its code runs into.
    private static T Guard<T>(SourceFile file, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (OutOfMemoryException e)
        {
            throw new TinyLlmException($"{file.Path}: a row group does not fit into memory, or its data is damaged and "
                + "only seems so large; "
                + "expected row groups of some hundred MiB at most. Write the file anew with smaller ones.", e);
        }
        catch (Exception e) when (e is not TinyLlmException)
        {
            string reason = Quote(e.Message).TrimEnd('.');
            throw new TinyLlmException($"{file.Path}: the Parquet data is damaged, cut off or of an unknown kind "
                + $"({reason}); expected a whole file. Get the file again.", e);
        }
    }
}
