using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>Writes Hugging Face's <c>tokenizer.json</c>, version 1.0.</summary>
internal static class TokenizerJsonWriter
{
    /// <summary>Each character alone, line ends included (a dot would leave those out).</summary>
    public const string AnyCharacter = @"[\s\S]";

    // Not in the vocabulary, so that Hugging Face refuses an unknown character too.
    private const string Unknown = "<|unknown|>";

    public static void Write(Utf8JsonWriter writer, Tokenizer tokenizer)
    {
        writer.WriteStartObject();
        writer.WriteString("version", "1.0");
        writer.WriteNull("truncation");
        writer.WriteNull("padding");
        WriteSpecialTokens(writer, tokenizer);
        WriteNormalizer(writer, tokenizer is ByteLevelBpeTokenizer { Normalizes: true });
        switch (tokenizer)
        {
            case CharTokenizer characters:
                WriteSplit(writer, "pre_tokenizer", AnyCharacter);
                WriteWhole(writer);
                WriteWordLevel(writer, characters, Unknown);
                break;

            case WordTokenizer words:
                WriteSplit(writer, "pre_tokenizer", WordPattern.Expression);
                WriteWhole(writer);
                WriteWordLevel(writer, words, WordTokenizer.UnknownToken);
                break;

            case ByteTokenizer bytes:
                WriteByteLevel(writer, "pre_tokenizer");
                writer.WriteNull("post_processor");
                WriteByteLevel(writer, "decoder");
                WriteBpe(writer, bytes, [], ignoresMerges: false);
                break;

            case ByteLevelBpeTokenizer bpe:
                WritePreTokenizer(writer, bpe.PreTokenizer);
                WritePostProcessor(writer, bpe);
                WriteByteLevel(writer, "decoder");
                WriteBpe(writer, bpe, bpe.Merges, bpe.IgnoresMerges);
                break;

            default:
                throw new ArgumentException(
                    $"{tokenizer.GetType().Name} has no form in tokenizer.json.", nameof(tokenizer));
        }

        writer.WriteEndObject();
    }

    private static void WriteSpecialTokens(Utf8JsonWriter writer, Tokenizer tokenizer)
    {
        writer.WriteStartArray("added_tokens");
        foreach (var token in tokenizer.AddedTokens.Items)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", token.Id);
            writer.WriteString("content", token.Text);
            writer.WriteBoolean("single_word", false);
            writer.WriteBoolean("lstrip", false);
            writer.WriteBoolean("rstrip", false);
            writer.WriteBoolean("normalized", token.IsNormalized);
            writer.WriteBoolean("special", token.IsSpecial);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteNormalizer(Utf8JsonWriter writer, bool normalizes)
    {
        if (!normalizes)
        {
            writer.WriteNull("normalizer");
            return;
        }

        writer.WriteStartObject("normalizer");
        writer.WriteString("type", "NFC");
        writer.WriteEndObject();
    }

    private static void WritePreTokenizer(Utf8JsonWriter writer, PreTokenizer preTokenizer)
    {
        writer.WriteStartObject("pre_tokenizer");
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("pretokenizers");
        WriteSplit(writer, null, preTokenizer.Regex);
        WriteByteLevel(writer, null);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    // What a caller of Hugging Face's library gets around each text, as in the tokenizer that this one was read from.
    private static void WritePostProcessor(Utf8JsonWriter writer, Tokenizer tokenizer)
    {
        if (tokenizer.AddedTokens.Around is { } around)
            around.Write(writer);
        else
            writer.WriteNull("post_processor");
    }

    private static void WriteSplit(Utf8JsonWriter writer, string? property, string regex)
    {
        StartObject(writer, property);
        writer.WriteString("type", "Split");
        writer.WriteStartObject("pattern");
        writer.WriteString("Regex", regex);
        writer.WriteEndObject();
        writer.WriteString("behavior", "Isolated");
        writer.WriteBoolean("invert", false);
        writer.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, string? property)
    {
        StartObject(writer, property);
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", false);
        writer.WriteBoolean("trim_offsets", false);
        writer.WriteBoolean("use_regex", false);
        writer.WriteEndObject();
    }

    private static void WriteBpe(
        Utf8JsonWriter writer, Tokenizer tokenizer, IReadOnlyList<(int Left, int Right)> merges, bool ignoresMerges)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        writer.WriteNull("dropout");
        writer.WriteNull("unk_token");
        writer.WriteString("continuing_subword_prefix", "");
        writer.WriteString("end_of_word_suffix", "");
        writer.WriteBoolean("fuse_unk", false);
        writer.WriteBoolean("byte_fallback", false);
        writer.WriteBoolean("ignore_merges", ignoresMerges);
        writer.WriteStartObject("vocab");

        // Hugging Face numbers the added tokens behind the vocabulary one after another; those among the ordinary ones
        // it must find there.
        int last = tokenizer.VocabularySize - 1;
        while (tokenizer.AddedTokens.Find(last) is not null)
            last--;
        for (int id = 0; id <= last; id++)
            writer.WriteNumber(tokenizer.AddedTokens.Find(id)?.Text ?? Text(id), id);
        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right) in merges)
            writer.WriteStringValue($"{Text(left)} {Text(right)}"); // the form that old versions read too
        writer.WriteEndArray();
        writer.WriteEndObject();

        string Text(int id) => ByteLevelAlphabet.ToText(tokenizer.TokenBytes(id));
    }

    private static void WriteWordLevel(Utf8JsonWriter writer, Tokenizer tokenizer, string unknown)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "WordLevel");
        writer.WriteStartObject("vocab");
        for (int id = 0; id < tokenizer.EndOfText; id++)
            writer.WriteNumber(tokenizer.TokenBytes(id), id);
        writer.WriteEndObject();
        writer.WriteString("unk_token", unknown);
        writer.WriteEndObject();
    }

    // Tokens are joined as they stand.
    private static void WriteWhole(Utf8JsonWriter writer)
    {
        writer.WriteNull("post_processor");
        writer.WriteStartObject("decoder");
        writer.WriteString("type", "Fuse");
        writer.WriteEndObject();
    }

    private static void StartObject(Utf8JsonWriter writer, string? property)
    {
        if (property == null)
            writer.WriteStartObject();
        else
            writer.WriteStartObject(property);
    }
}
