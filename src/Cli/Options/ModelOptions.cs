using System.CommandLine;
using TinyLlm.Data.Sources;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>Sizes of a model that has no vocabulary yet.</summary>
internal sealed record ModelSizes(
    Architecture Architecture, int Layers, int Heads, int KvHeads, int Width, int Context, double Dropout,
    string Tokenizer, int VocabularySize, int MinimumCount)
{
    public GptConfig Config(int vocabularySize) =>
        GptConfig.Create(Architecture, Layers, Heads, Width, Context, vocabularySize, KvHeads, (float)Dropout);
}

/// <summary>The options that say what model pretrain makes.</summary>
internal sealed class ModelOptions
{
    /// <summary>Sizes by their names.</summary>
    internal static readonly Dictionary<string, (int Layers, int Heads, int Width, int Context)> Presets = new()
    {
        ["default"] = (4, 4, 128, 128),
        ["tiny"] = (4, 4, 128, 64),
        ["small"] = (6, 6, 384, 256),
        ["base"] = (12, 12, 768, 1024),
        ["medium"] = (24, 16, 1024, 1024),
    };

    private readonly Option<string> preset = LoopOptions.Choice("--preset", "Sizes to begin with: layers, heads, "
        + "width, context; default: default (4, 4, 128, 128).", [.. Presets.Keys]);
    private readonly Option<string> architecture =
        LoopOptions.Choice("--arch", "Architecture; default: qwen3.", "qwen3", "llama", "gpt2");
    private readonly Option<int> layers =
        LoopOptions.Number("--layers", "Number of blocks; default: the preset's, as the next four.");
    private readonly Option<int> heads = LoopOptions.Number("--heads", "Query heads of a block.");
    private readonly Option<int> kvHeads =
        LoopOptions.Number("--kv-heads", "Key and value heads of a block; default: as many as heads.");
    private readonly Option<int> width = LoopOptions.Number("--width", "Width of the residual stream.");
    private readonly Option<int> context = LoopOptions.Number("--context", "Tokens of a sequence.");
    private readonly Option<string?> tokenizer = LoopOptions.Path<string?>(
        "--tokenizer", "KIND|NAME|DIR", "Kind of tokenizer to train (bpe, char, byte, word), a ready one (cl100k, "
        + "o200k), or a folder that has one; default: that of prepared --data, else bpe.");
    private readonly Option<int> vocabularySize = LoopOptions.Number(
        "--vocab-size", "Vocabulary of a bpe or word tokenizer, special tokens included; default: 2048.");

    private readonly Option<int> minimumCount =
        LoopOptions.Number("--min-count", "A word tokenizer leaves words out that occur less often; default: 1.");

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { preset, architecture, layers, heads, kvHeads, width, context,
            tokenizer, vocabularySize, minimumCount })
            command.Options.Add(option);
    }

    /// <summary>The sizes that the options name.</summary>
    /// <param name="reader">Reads them.</param>
    /// <param name="recipe">What is taken where they name nothing.</param>
    /// <param name="dropout">Dropout probability.</param>
    /// <param name="defaultTokenizer">The tokenizer where none is named.</param>
    /// <exception cref="TinyLlmException">They do not fit together.</exception>
    public ModelSizes Read(OptionReader reader, Recipe recipe, double dropout, string defaultTokenizer)
    {
        var p = Presets[reader.Fixed(preset, recipe.Preset)];
        int h = reader.Fixed(heads, p.Heads);
        var sizes = new ModelSizes(
            Enum.Parse<Architecture>(reader.Fixed(architecture, recipe.Architecture), ignoreCase: true),
            reader.Fixed(layers, p.Layers), h, reader.Fixed(kvHeads, h), reader.Fixed(width, p.Width),
            reader.Fixed(context, p.Context), dropout,
            reader.Fixed(tokenizer, defaultTokenizer)!, reader.Fixed(vocabularySize, 2048),
            reader.Fixed(minimumCount, 1));
        if (sizes.KvHeads < 1 && reader.IsGiven(kvHeads))
            throw new TinyLlmException($"--kv-heads {sizes.KvHeads}: expected 1 or more.");

        // With any vocabulary: what else is wrong is said before the tokenizer is trained.
        sizes.Config(Tokenizer.SpecialTokens.Count + 1);
        return sizes;
    }

    /// <summary>Refuses options that say what model to make.</summary>
    /// <exception cref="TinyLlmException">One of them is given.</exception>
    public void RefuseBeside(string other, OptionReader reader)
    {
        if (new Option[] { preset, architecture, layers, heads, kvHeads, width, context, tokenizer, vocabularySize,
            minimumCount }.FirstOrDefault(reader.IsGiven) is { } given)
        {
            throw new TinyLlmException($"{given.Name} beside {other}: the model and its tokenizer are those of the "
                + $"folder; leave {given.Name} out.");
        }
    }

    /// <summary>Trains a tokenizer on the text, or opens the one that was named.</summary>
    /// <exception cref="TinyLlmException">The folder has none, the text cannot be had, or the vocabulary size does not
    /// suit it.</exception>
    public Tokenizer MakeTokenizer(
        ModelSizes sizes, IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> validation, int threads,
        CancellationToken stop)
    {
        if (TokenizerKinds.IsTrained(sizes.Tokenizer))
        {
            return TokenizerKinds.Train(
                sizes.Tokenizer, sources, validation, sizes.VocabularySize, sizes.MinimumCount, threads, stop);
        }

        var tokenizer = TokenizerKinds.Open(sizes.Tokenizer, mayTrain: true);
        tokenizer.ServesNewModel();
        return tokenizer;
    }
}
