using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>
/// What one --data names: files, folders and globs, or a built-in corpus; files in the ordinal order of their paths.
/// </summary>
public sealed class DataSource
{
    /// <summary>The file that makes a folder one of prepared token shards.</summary>
    public const string PreparedFile = "prepared.json";

    /// <summary>About how many bytes of input a unit has unless the caller says otherwise.</summary>
    public const long DefaultUnitBytes = 64 << 20;

    private readonly SourceOptions options;
    private readonly SourceFile[] files;

    private DataSource(SourceWord word, SourceFile[] files, SourceOptions options, string option)
    {
        Option = option;
        Name = word.Name;
        Weight = word.Weight;
        this.files = files;
        this.options = options;
        Files = [.. files.Select(file => file.Path)];
        IsPrepared = files.Length == 1 && Path.GetFileName(files[0].Path) == PreparedFile;
        IsTokens = IsPrepared || files.Length > 0 && files[0].Format.Content == Content.Tokens;
    }

    /// <summary>The option that names it, for messages.</summary>
    public string Option { get; }

    /// <summary>What the user wrote, without the weight.</summary>
    public string Name { get; }

    /// <summary>
    /// What runs and folders that are made of it are called: the file's or folder's own name, without its extension.
    /// </summary>
    public string ShortName => IsBuiltin ? Name[TextData.BuiltinPrefix.Length..]
        : Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Name)).Replace('*', '_')
            .Replace('?', '_') is { Length: > 0 } name ? name : "text";

    /// <summary>
    /// The share of the source in the mix, relative to the other sources' weights; null if none is given.
    /// </summary>
    public double? Weight { get; }

    /// <summary>Whether it is a built-in corpus.</summary>
    public bool IsBuiltin => TextData.IsBuiltin(Name);

    /// <summary>
    /// Whether it holds token ids and not text: .bin files of llm.c or nanoGPT, or a folder with a
    /// <see cref="PreparedFile"/>.
    /// </summary>
    public bool IsTokens { get; }

    /// <summary>Whether it is a folder of prepared token shards.</summary>
    public bool IsPrepared { get; }

    /// <summary>
    /// The files; empty for a built-in corpus, the <see cref="PreparedFile"/> alone for a prepared folder.
    /// </summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Bytes of input on disk; 0 for a built-in corpus.</summary>
    public long Bytes => files.Sum(file => file.Length);

    /// <summary>
    /// Identifies the input: changes when a file's full path, length or last write time does, when files come or go, or
    /// with the options; a built-in corpus changes with the program.
    /// </summary>
    public string Fingerprint
    {
        get
        {
            var text = new StringBuilder($"{options.TextField}\n{options.Encoding}\n{options.Strict}\n");
            if (options.DocumentSeparator is { } separator)
                text.Append("documents end with ").Append(separator).Append('\n');
            if (IsBuiltin)
                text.Append(Name).Append('\n').Append(typeof(DataSource).Module.ModuleVersionId).Append('\n');
            foreach (var file in files)
            {
                string version = file.Checksum ?? file.Written.Ticks.ToString(CultureInfo.InvariantCulture);
                text.Append(Path.GetFullPath(file.Path)).Append('\n');
                text.Append(file.Length).Append(' ').Append(version).Append('\n');
            }

            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
        }
    }

    /// <summary>Parses all the words of an option. What is a pipe is read to its end, and kept; <see
    /// cref="SpooledInput.TakeAll"/> before lets that be interrupted.</summary>
    /// <param name="words">The words.</param>
    /// <param name="options">How they are read.</param>
    /// <param name="option">The option that names them, for messages.</param>
    /// <exception cref="TinyLlmException">
    /// There is no such file or built-in corpus, a folder or glob has no file of a known kind, a file is empty, a
    /// source mixes text and tokens, a weight is no positive number, or only some of the sources have one; or an option
    /// has no such value. </exception>
    public static IReadOnlyList<DataSource> Parse(
        IReadOnlyList<string> words, SourceOptions options, string option = "--data")
    {
        if (options.Encoding is { } encoding)
            TextEncoding.Named(encoding);
        if (options.DocumentSeparator is { } separator
            && (separator.Length == 0 || separator.AsSpan().ContainsAny('\r', '\n')))
        {
            throw new TinyLlmException($"--document-separator \"{separator.ReplaceLineEndings(" ")}\": expected the "
                + "text of one line, not empty, such as <|endoftext|>.");
        }

        var sources = words.Select(word => Parse(word, options, option)).ToList();
        if (sources.Find(source => source.Weight is null) is { } without
            && sources.Find(source => source.Weight is not null) is { } with)
        {
            throw new TinyLlmException($"{option} {without.Name}: this source has no weight, but {with.Name} has one; "
                + $"expected weights on all sources or on none. Write {without.Name}=WEIGHT.");
        }

        return sources;
    }

    /// <summary>All of the text; of a built-in corpus, which alone has splits of its own, that of one split.</summary>
    /// <param name="split">The split.</param>
    /// <param name="cut">
    /// Where long documents may be cut into pieces: as the tokenizer that takes them says; null: as those without added
    /// tokens in text do.
    /// </param>
    /// <exception cref="TinyLlmException">The source holds tokens.</exception>
    public IReadOnlyList<SourceUnit> Text(Split split, TextCut? cut = null) =>
        IsBuiltin ? Units(split) : Units(cut: cut);

    /// <summary>
    /// Units of work in a fixed order, decided by the files' names and sizes alone: small files come together, long
    /// text and JSON lines are cut, Parquet files are cut by row groups, and a compressed file is one unit.
    /// </summary>
    /// <param name="bytes">About how many bytes of input a unit has.</param>
    /// <param name="cut">As above.</param>
    /// <exception cref="TinyLlmException">The source holds tokens.</exception>
    public IReadOnlyList<SourceUnit> Units(long bytes = DefaultUnitBytes, TextCut? cut = null)
    {
        if (IsTokens)
            throw new TinyLlmException($"{Option} {Name}: this holds token ids; expected text.");
        return IsBuiltin ? Units(Split.Train)
            : UnitPlan.Cut(files, bytes, cut is null ? options : options with { Cut = cut });
    }

    /// <summary>The one unit of a split of a built-in corpus, as <see cref="TextData.Builtin"/> writes it.</summary>
    /// <exception cref="TinyLlmException">The source is no built-in corpus.</exception>
    public IReadOnlyList<SourceUnit> Units(Split split)
    {
        if (!IsBuiltin)
        {
            throw new TinyLlmException($"{Option} {Name}: only a built-in corpus has splits of its own; expected "
                + $"builtin:{string.Join(" or builtin:", BuiltinData.Names)}.");
        }

        ReadOnlyMemory<byte>[] documents = [.. TextData.Builtin(Name, split)];
        return [new SourceUnit(
            $"{Name}, {split.ToString().ToLowerInvariant()}", documents.Sum(document => (long)document.Length),
            report => Read(documents, report))];
    }

    private static IEnumerable<TextPiece> Read(ReadOnlyMemory<byte>[] documents, ReadReport report)
    {
        foreach (var document in documents)
        {
            report.AddText(document.Length);
            report.AddDocument();
            yield return new TextPiece(document, EndsDocument: true);
        }
    }

    private static DataSource Parse(string text, SourceOptions options, string option)
    {
        var word = SourceWord.Parse(text, option);
        if (TextData.IsBuiltin(word.Name))
        {
            string name = word.Name[TextData.BuiltinPrefix.Length..];
            if (!BuiltinData.Names.Contains(name))
            {
                throw new TinyLlmException($"{option} {word.Name}: there is no such built-in corpus; expected "
                    + $"builtin:{string.Join(" or builtin:", BuiltinData.Names)}.");
            }

            return new DataSource(word, [], options, option);
        }

        SpooledInput.Take(word.Name, CancellationToken.None);
        SourceFile[] files = [.. SourceFiles.Find(word.Name, option).Select(SourceFile.At)];
        if (files.Length == 1 && files[0].Length == 0)
            throw new TinyLlmException($"{option} {word.Name}: the file is empty; expected text.");
        if (files.All(file => file.Length == 0))
            throw new TinyLlmException($"{option} {word.Name}: all {files.Length:N0} files are empty; expected text.");
        return new DataSource(word, files, options, option);
    }
}
