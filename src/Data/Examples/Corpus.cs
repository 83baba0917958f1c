using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>How and where a <see cref="Corpus"/> is made ready.</summary>
/// <param name="Context">T: tokens of an example.</param>
/// <param name="CacheFolder">Where text that is prepared on the disk goes.</param>
/// <param name="Threads">Threads that encode.</param>
/// <param name="Progress">Hears how far a preparation is.</param>
public sealed record CorpusSettings(
    int Context, string CacheFolder, int Threads, IProgress<PreparationProgress>? Progress = null);

/// <summary>
/// What pretraining learns from and is measured on, as examples of T tokens. Small text is encoded in memory; larger
/// text once, into a folder of shards that later runs read as long as the files and the tokenizer stay what they are;
/// what is tokens already is mapped.
/// </summary>
/// <remarks>
/// The last tenth of each source's tokens, a million at most, is validation, unless other data is named for it;
/// built-in corpora have a split of their own. Sources with weights are drawn by these, others are one stream.
/// </remarks>
public sealed class Corpus : IDisposable
{
    // In bytes of text: encoded in a second or so, and in memory a few times as large.
    private const long SmallText = 16 << 20;

    // Of each source: as exact as anyone needs, and evaluated in a minute or so on a CPU.
    private const long MostValidation = 1_000_000;

    private readonly Tokenizer tokenizer;
    private readonly CorpusSettings settings;
    private readonly CancellationToken stop;
    private readonly List<IDisposable> opened = [];

    private Corpus(Tokenizer tokenizer, CorpusSettings settings, CancellationToken stop) =>
        (this.tokenizer, this.settings, this.stop) = (tokenizer, settings, stop);

    /// <summary>What to learn from.</summary>
    public IExamples Train { get; private set; } = null!;

    /// <summary>What to be measured on.</summary>
    public IExamples Validation { get; private set; } = null!;

    /// <summary>Tokens of the training split.</summary>
    public long TrainTokens { get; private set; }

    /// <summary>Tokens of the validation split.</summary>
    public long ValidationTokens { get; private set; }

    /// <summary>What reading text found.</summary>
    public ReadReport Report { get; } = new();

    /// <summary>Opens the data.</summary>
    /// <param name="sources">What to learn from.</param>
    /// <param name="validation">What to be measured on; none: a part of <paramref name="sources"/>.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="settings">How and where.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="TinyLlmException">Data cannot be read or encoded, or is too short.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static Corpus Open(
        IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> validation, Tokenizer tokenizer,
        CorpusSettings settings, CancellationToken stop = default)
    {
        var corpus = new Corpus(tokenizer, settings, stop);
        try
        {
            corpus.Open(sources, validation);
            return corpus;
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Everything in a source as <see cref="Validation"/>, encoded in memory; of a built-in corpus the split that is
    /// named.
    /// </summary>
    /// <exception cref="TinyLlmException">Data cannot be read or encoded, or is too short.</exception>
    public static Corpus Open(
        DataSource source, Split split, Tokenizer tokenizer, int context, CancellationToken stop = default)
    {
        var corpus = new Corpus(tokenizer, new CorpusSettings(context, "", 1), stop);
        try
        {
            ITokens tokens = source.IsTokens ? corpus.Map(source) : corpus.Encode(source, split);
            corpus.Validation = new Windows(tokens, context, keepRest: true, source.Name, tokenizer.BeginOfText);
            corpus.ValidationTokens = tokens.Count;
            return corpus;
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tokens in opened)
            tokens.Dispose();
    }

    private void Open(IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> validation)
    {
        var train = new List<(ITokens Tokens, long First, long Count)>();
        var held = new List<(ITokens Tokens, long First, long Count)>();
        foreach (var source in sources)
        {
            var tokens = Tokens(source, Split.Train);
            long cut = validation.Count > 0 || source.IsBuiltin ? tokens.Count
                : tokens.Count - Math.Min(tokens.Count / 10, MostValidation);
            train.Add((tokens, 0, cut));
            if (cut < tokens.Count)
                held.Add((tokens, cut, tokens.Count - cut));
            else if (validation.Count == 0 && source.IsBuiltin)
                held.Add(Whole(Tokens(source, Split.Validation)));
        }

        held.AddRange(validation.Select(source => Whole(Tokens(source, Split.Validation))));
        (TrainTokens, ValidationTokens) = (train.Sum(part => part.Count), held.Sum(part => part.Count));
        Train = sources[0].Weight is null
            ? Cut(train, "training")
            : new Mixture(
                [.. sources.Select(
                    (source, i) => (Cut([train[i]], $"training ({source.Name})"), source.Weight!.Value))]);
        Validation = new Windows(
            new TokenParts(held), settings.Context, keepRest: true, "validation", tokenizer.BeginOfText);
    }

    private static (ITokens Tokens, long First, long Count) Whole(ITokens tokens) => (tokens, 0, tokens.Count);

    private IExamples Cut(IReadOnlyList<(ITokens Tokens, long First, long Count)> parts, string what) =>
        new Windows(new TokenParts(parts), settings.Context, keepRest: false, what, tokenizer.BeginOfText);

    private ITokens Tokens(DataSource source, Split split)
    {
        if (source.IsTokens)
            return Map(source);
        return source.Bytes <= SmallText ? Encode(source, split) : Prepare(source);
    }

    private TokenArray Encode(DataSource source, Split split) =>
        DocumentEncoder.ToMemory(source.Text(split, tokenizer.Cut), tokenizer, Report, stop);

    private TokenParts Map(DataSource source) => new([.. source.Files.Select(Map)]);

    // A folder of shards is named by its description.
    private ITokens Map(string file) => Path.GetFileName(file) == PreparedManifest.FileName
        ? Keep(PreparedTokens.Open(Path.GetDirectoryName(file)!, tokenizer))
        : Keep(BinFile.Map(file, tokenizer.VocabularySize));

    private PreparedTokens Prepare(DataSource source)
    {
        string folder = Path.Combine(
            settings.CacheFolder, $"{source.ShortName}-{Preparation.Key([source])[..8]}-{tokenizer.Hash[..8]}");
        var preparation = new Preparation([source], tokenizer, folder);
        preparation.Run(settings.Threads, settings.Progress, stop);
        Report.Add(preparation.Report);
        return Keep(PreparedTokens.Open(folder, tokenizer));
    }

    private T Keep<T>(T tokens) where T : IDisposable
    {
        opened.Add(tokens);
        return tokens;
    }
}
