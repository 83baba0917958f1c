using System.IO.Compression;
using System.Text;
using Parquet;
using Parquet.Schema;
using TinyLlm.Data.Sources;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Makes files of every format, and reads sources as a whole.</summary>
internal static class SourceReading
{
    private static readonly string[] Parts =
        ["word ", "Word", " ", "\n", "\n\n", "\r\n", "e\u0301\u00e9", "\u4e2d\u6587", "\U0001f600", "1 2", "a/b",
            "\u2028", ".\n/x", "x\ny", "\t", "it's ", "a b c d", "the \u00e9t\u00e9 is "];

    /// <summary>Random text with everything that matters to a cut; now and then any byte.</summary>
    public static byte[] RandomText(Random random, int parts)
    {
        var text = new MemoryStream();
        for (int i = 0; i < parts; i++)
        {
            text.Write(random.Next(30) == 0 ? [(byte)random.Next(256)]
                : Encoding.UTF8.GetBytes(Parts[random.Next(Parts.Length)]));
        }

        return text.ToArray();
    }

    /// <summary>The one source of a word.</summary>
    public static DataSource Source(string word, SourceOptions? options = null) =>
        Assert.Single(DataSource.Parse([word], options ?? new SourceOptions()));

    /// <summary>The pieces of all units, copied.</summary>
    public static List<TextPiece> Pieces(IEnumerable<SourceUnit> units, ReadReport report) =>
        units.SelectMany(unit => unit.Read(report).Select(piece => piece with { Bytes = piece.Bytes.ToArray() }))
        .ToList();

    /// <summary>The text of pieces.</summary>
    public static byte[] Join(IEnumerable<TextPiece> pieces)
    {
        var text = new MemoryStream();
        foreach (var piece in pieces)
            text.Write(piece.Bytes.Span);
        return text.ToArray();
    }

    /// <summary>The documents of pieces; the last piece must end one.</summary>
    public static List<byte[]> Documents(IEnumerable<TextPiece> pieces)
    {
        var documents = new List<byte[]>();
        var open = new MemoryStream();
        foreach (var piece in pieces)
        {
            open.Write(piece.Bytes.Span);
            if (!piece.EndsDocument)
                continue;
            documents.Add(open.ToArray());
            open.SetLength(0);
        }

        Assert.Equal(0, open.Length);
        return documents;
    }

    /// <summary>The documents of a source as strings.</summary>
    public static List<string> Texts(DataSource source, ReadReport? report = null, long bytes = 64 << 20) =>
        Documents(Pieces(source.Units(bytes), report ?? new ReadReport())).ConvertAll(Encoding.UTF8.GetString);

    /// <summary>The documents of the one source of a word as strings.</summary>
    public static List<string> Texts(string word, SourceOptions? options = null, ReadReport? report = null) =>
        Texts(Source(word, options), report);

    /// <summary>Bytes as the ending of a name says: .gz, .zst or as they are.</summary>
    public static byte[] Compress(byte[] bytes, string ending)
    {
        var packed = new MemoryStream();
        using (Stream stream = ending switch
        {
            ".gz" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            ".zst" => new ZstdSharp.CompressionStream(packed, leaveOpen: true),
            _ => new BufferedStream(new MemoryStream()),
        })
        {
            stream.Write(bytes);
        }

        return ending.Length == 0 ? bytes : packed.ToArray();
    }

    /// <summary>A Parquet file with a column of numbers and one of texts, each row group with some of them.</summary>
    public static byte[] Parquet(string column, params string?[][] groups) =>
        Parquet(CompressionMethod.Snappy, column, groups);

    /// <summary>The same, compressed by another method.</summary>
    public static byte[] Parquet(CompressionMethod method, string column, params string?[][] groups)
    {
        var schema = new ParquetSchema(new DataField<int>("id"), new DataField<string>(column));
        return Parquet(schema, groups, (writer, texts) => writer.WriteAsync(schema.DataFields[1], texts!), method);
    }

    /// <summary>A Parquet file whose second column is written by <paramref name="write"/>.</summary>
    public static byte[] Parquet<T>(ParquetSchema schema, T[][] groups, Func<ParquetRowGroupWriter, T[], Task> write,
        CompressionMethod method = CompressionMethod.Snappy)
    {
        var file = new MemoryStream();
        WriteAsync().GetAwaiter().GetResult();
        return file.ToArray();

        async Task WriteAsync()
        {
            await using var writer =
                await ParquetWriter.CreateAsync(schema, file, new ParquetOptions { CompressionMethod = method });
            foreach (var texts in groups)
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync<int>(schema.DataFields[0], Enumerable.Range(0, texts.Length).ToArray());
                await write(group, texts);
            }
        }
    }
}
