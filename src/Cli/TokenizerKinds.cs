using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Cli;

/// <summary>What <c>--tokenizer</c> names: a kind that is trained on the text, a ready vocabulary, or a folder.</summary>
internal static class TokenizerKinds
{
    /// <summary>The kinds that learn from text.</summary>
    public static readonly string[] Trained = ["bpe", "char", "word"];

    /// <summary>Whether a value names a kind that learns from text.</summary>
    public static bool IsTrained(string value) => Trained.Contains(value);

    /// <summary>Opens a tokenizer that needs no text: <c>byte</c>, a ready vocabulary, or a folder's.</summary>
    /// <exception cref="TinyLlmException">The folder has none that can be read.</exception>
    public static Tokenizer Open(string value) => value switch
    {
        "byte" => new ByteTokenizer(),
        _ when ReadyVocabularies.Names.Contains(value) => ReadyVocabularies.Load(value),
        _ => TokenizerFolder.Load(value),
    };

    /// <summary>Trains a tokenizer on all of the text. A char tokenizer must know the validation's characters too.</summary>
    /// <exception cref="TinyLlmException">A source is tokens already or cannot be read, or the vocabulary size or the text does not suit the kind.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static Tokenizer Train(string kind, IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> validation, int vocabularySize, int minimumCount, int threads, CancellationToken stop)
    {
        var text = sources.Select(source => (source, Split.Train));
        if (kind == "char")
            text = text.Concat((validation.Count > 0 ? validation : sources.Where(source => source.IsBuiltin)).Select(source => (source, Split.Validation)));
        var pieces = Pieces(text, stop);
        using var view = new TokenizerView();
        Tokenizer tokenizer = kind switch
        {
            "bpe" => BpeTrainer.Train(pieces, vocabularySize, threads, view, stop),
            "char" => CharTokenizer.Train(pieces),
            "word" => WordTokenizer.Train(pieces, vocabularySize, minimumCount),
            _ => throw new ArgumentException($"{kind}; expected one of {string.Join(", ", Trained)}.", nameof(kind)),
        };
        view.Complete();
        return tokenizer;
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Pieces(IEnumerable<(DataSource Source, Split Split)> text, CancellationToken stop)
    {
        var report = new ReadReport();
        foreach (var (source, split) in text)
        {
            if (source.IsTokens)
                throw new TinyLlmException($"{source.Option} {source.Name}: these are tokens already, from which no "
                    + "tokenizer can learn; name the one that made them by --tokenizer DIR.");
            foreach (var unit in source.Text(split))
            {
                foreach (var piece in unit.Read(report))
                {
                    stop.ThrowIfCancellationRequested();
                    yield return piece.Bytes;
                }
            }
        }
    }
}
