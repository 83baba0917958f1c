using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Cli;

/// <summary>The kinds of tokenizer that <c>--tokenizer</c> names.</summary>
internal static class TokenizerKinds
{
    /// <summary>Whether a value names a kind; else it names a folder.</summary>
    public static bool IsKind(string value) => value is "bpe" or "char" or "byte" or "word" || ReadyVocabularies.Names.Contains(value);

    /// <summary>Opens a ready vocabulary or the tokenizer of a folder.</summary>
    /// <exception cref="TinyLlmException">The folder has no tokenizer that this program can read.</exception>
    public static Tokenizer Open(string value) => ReadyVocabularies.Names.Contains(value) ? ReadyVocabularies.Load(value) : TokenizerFolder.Load(value);

    /// <summary>Trains a tokenizer, or opens a ready one. bpe and word learn from the training split alone; char must know the validation's characters too.</summary>
    /// <exception cref="TinyLlmException">The kind is unknown, or the vocabulary size or the text does not suit it.</exception>
    public static Tokenizer Train(string kind, TextSplits text, int vocabularySize) => kind switch
    {
        "bpe" => ByteLevelBpeTokenizer.Train(TextData.Concatenate(text.Train), vocabularySize),
        "char" => CharTokenizer.Train(TextData.Concatenate(text.Train.Concat(text.Validation))),
        "word" => WordTokenizer.Train(text.Train, vocabularySize),
        "byte" => new ByteTokenizer(),
        "cl100k" or "o200k" => ReadyVocabularies.Load(kind),
        _ => throw new TinyLlmException($"--tokenizer {kind}: expected bpe, char, byte, word, {string.Join(" or ", ReadyVocabularies.Names)}."),
    };
}
