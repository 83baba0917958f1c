using System.Text.Json;

namespace TinyLlm.Model.Tokenizers;

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
        writer.WriteNull("normalizer");
        switch (tokenizer)
        {
            case CharTokenizer characters:
                WriteSplit(writer, "pre_tokenizer", AnyCharacter);
                writer.WriteNull("post_processor");
                writer.WriteStartObject("decoder");
                writer.WriteString("type", "Fuse");
                writer.WriteEndObject();
                WriteWordLevel(writer, characters);
                break;

            case ByteTokenizer bytes:
                WriteByteLevel(writer, "pre_tokenizer");
                writer.WriteNull("post_processor");
                WriteByteLevel(writer, "decoder");
                WriteBpe(writer, bytes, []);
                break;

            case ByteLevelBpeTokenizer bpe:
                writer.WriteStartObject("pre_tokenizer");
                writer.WriteString("type", "Sequence");
                writer.WriteStartArray("pretokenizers");
                WriteSplit(writer, null, Qwen2Pattern.Regex);
                WriteByteLevel(writer, null);
                writer.WriteEndArray();
                writer.WriteEndObject();
                writer.WriteNull("post_processor");
                WriteByteLevel(writer, "decoder");
                WriteBpe(writer, bpe, bpe.Merges);
                break;

            default:
                throw new ArgumentException($"{tokenizer.GetType().Name} has no form in tokenizer.json.", nameof(tokenizer));
        }

        writer.WriteEndObject();
    }

    private static void WriteSpecialTokens(Utf8JsonWriter writer, Tokenizer tokenizer)
    {
        writer.WriteStartArray("added_tokens");
        for (int i = 0; i < Tokenizer.SpecialTokens.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", tokenizer.EndOfText + i);
            writer.WriteString("content", Tokenizer.SpecialTokens[i]);
            writer.WriteBoolean("single_word", false);
            writer.WriteBoolean("lstrip", false);
            writer.WriteBoolean("rstrip", false);
            writer.WriteBoolean("normalized", false);
            writer.WriteBoolean("special", true);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
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

    private static void WriteBpe(Utf8JsonWriter writer, Tokenizer tokenizer, IReadOnlyList<(int Left, int Right)> merges)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        writer.WriteNull("dropout");
        writer.WriteNull("unk_token");
        writer.WriteString("continuing_subword_prefix", "");
        writer.WriteString("end_of_word_suffix", "");
        writer.WriteBoolean("fuse_unk", false);
        writer.WriteBoolean("byte_fallback", false);
        writer.WriteBoolean("ignore_merges", false);
        writer.WriteStartObject("vocab");
        for (int id = 0; id < tokenizer.EndOfText; id++)
            writer.WriteNumber(Text(id), id);
        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right) in merges)
            writer.WriteStringValue($"{Text(left)} {Text(right)}"); // the form that old versions read too
        writer.WriteEndArray();
        writer.WriteEndObject();

        string Text(int id) => ByteLevelAlphabet.ToText(tokenizer.TokenBytes(id));
    }

    private static void WriteWordLevel(Utf8JsonWriter writer, CharTokenizer tokenizer)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "WordLevel");
        writer.WriteStartObject("vocab");
        for (int id = 0; id < tokenizer.EndOfText; id++)
            writer.WriteNumber(tokenizer.Characters[id].ToString(), id);
        writer.WriteEndObject();
        writer.WriteString("unk_token", Unknown);
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
