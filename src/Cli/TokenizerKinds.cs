using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Cli;

/// <summary>The kinds of tokenizer that <c>--tokenizer</c> names.</summary>
internal static class TokenizerKinds
{
    /// <summary>Whether a value names a kind; else it names a folder.</summary>
    public static bool IsKind(string value) => value is "bpe" or "char" or "byte";

    /// <summary>Trains a tokenizer. bpe learns from the training split alone; char must know the validation's characters too.</summary>
    /// <exception cref="TinyLlmException">The kind is unknown, or the vocabulary size or the text does not suit it.</exception>
    public static Tokenizer Train(string kind, TextSplits text, int vocabularySize) => kind switch
    {
        "bpe" => ByteLevelBpeTokenizer.Train(TextData.Concatenate(text.Train), vocabularySize),
        "char" => CharTokenizer.Train(TextData.Concatenate(text.Train.Concat(text.Validation))),
        "byte" => new ByteTokenizer(),
        _ => throw new TinyLlmException($"--tokenizer {kind}: expected bpe, char or byte."),
    };
}
