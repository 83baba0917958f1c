using TinyLlm.Cli.Parsing;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>
/// What <c>--tokenizer</c> names: a kind that is trained on the text, a ready vocabulary, or a folder.
/// </summary>
internal static class TokenizerKinds
{
    /// <summary>The kinds that learn from text.</summary>
    public static readonly string[] Trained = ["bpe", "char", "word"];

    /// <summary>Whether a value names a kind that learns from text.</summary>
    public static bool IsTrained(string value) => Trained.Contains(value);

    // What other programs and papers call them.
    private static readonly (string Name, string[] Others)[] OtherNames =
    [
        ("bpe", ["subword", "subwords", "bbpe", "byte-bpe", "bytelevel-bpe", "byte-level-bpe", "wordpiece", "unigram",
            "sentencepiece", "spm"]),
        ("byte", ["bytes"]),
        ("char", ["character", "characters", "chars"]),
        ("word", ["words", "whitespace"]),
        ("cl100k", ["gpt4", "gpt-4", "cl100k_base", "tiktoken"]),
        ("o200k", ["gpt4o", "gpt-4o", "o200k_base"]),
    ];

    /// <summary>Opens a tokenizer that needs no text: <c>byte</c>, a ready vocabulary, or a folder's.</summary>
    /// <param name="value">What <c>--tokenizer</c> says.</param>
    /// <param name="mayTrain">Whether the command trains one where a kind is named.</param>
    /// <exception cref="TinyLlmException">It is none of them, or the folder has none that can be read.</exception>
    public static Tokenizer Open(string value, bool mayTrain = false) => value switch
    {
        "byte" => new ByteTokenizer(),
        _ when ReadyVocabularies.Names.Contains(value) => ReadyVocabularies.Load(value),
        _ when Path.Exists(value) => TokenizerFolder.Load(value),
        _ => throw Unknown(value, mayTrain),
    };

    private static TinyLlmException Unknown(string value, bool mayTrain)
    {
        string ready = string.Join(", ", ReadyVocabularies.Names),
            start = $"--tokenizer {value}: there is no such folder";
        if (!mayTrain && IsTrained(value))
        {
            return new TinyLlmException($"{start}, and a {value} tokenizer is one that is trained first; "
                + $"expected a folder that has a tokenizer, byte, or a ready one ({ready}). "
                + $"To train it: {Launcher.Command} tokenizer train --tokenizer {value} --data PATH --out DIR.");
        }

        string[] kinds = mayTrain ? [.. Trained, "byte"] : ["byte"];
        string expected = mayTrain
            ? $"a kind ({string.Join(", ", kinds)}), a ready one ({ready}) or a folder that has a tokenizer"
            : "a folder that has a tokenizer, as tokenizer train or pretrain writes it, byte, "
                + $"or a ready one ({ready})";
        string? meant =
            OtherNames.FirstOrDefault(kind => kind.Others.Contains(value, StringComparer.OrdinalIgnoreCase)).Name
            ?? NearWord.Find(value, kinds.Concat(ReadyVocabularies.Names));
        string hint = meant is null || !kinds.Concat(ReadyVocabularies.Names).Contains(meant) ? ""
            : $" Did you mean {meant}?";
        return new TinyLlmException($"{start}, and no tokenizer has that name; expected {expected}.{hint}");
    }

    /// <summary>
    /// Trains a tokenizer on all of the text. A char tokenizer must know the validation's characters too.
    /// </summary>
    /// <exception cref="TinyLlmException">A source is tokens already or cannot be read, or the vocabulary size or the
    /// text does not suit the kind.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static Tokenizer Train(
        string kind, IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> validation, int vocabularySize,
        int minimumCount, int threads, CancellationToken stop)
    {
        var text = sources.Select(source => (source, Split.Train));
        if (kind == "char")
        {
            text = text.Concat(
                (validation.Count > 0 ? validation : sources.Where(source => source.IsBuiltin))
                .Select(source => (source, Split.Validation)));
        }

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

    private static IEnumerable<ReadOnlyMemory<byte>> Pieces(IEnumerable<(DataSource Source, Split Split)> text,
        CancellationToken stop)
    {
        var report = new ReadReport();
        foreach (var (source, split) in text)
        {
            if (source.IsTokens)
            {
                throw new TinyLlmException($"{source.Option} {source.Name}: these are tokens already, from which no "
                    + "tokenizer can learn; name the one that made them by --tokenizer DIR.");
            }

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
