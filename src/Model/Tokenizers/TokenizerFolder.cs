using System.Text.Encodings.Web;
using System.Text.Json;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// A tokenizer as a folder that Hugging Face opens too: <c>tokenizer.json</c> holds the vocabulary and says how text is cut,
/// <c>tokenizer_config.json</c> tells other programs which token ends a text and how a chat is laid out.
/// </summary>
public static class TokenizerFolder
{
    /// <summary>The file that <see cref="Load"/> reads.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>The file for other programs; <see cref="Load"/> does not need it.</summary>
    public const string ConfigFile = "tokenizer_config.json";

    private static readonly JsonWriterOptions writerOptions = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // the files are read as JSON, never pasted into HTML
    };

    /// <summary>Writes both files, each whole or not at all (<see cref="AtomicFile"/>).</summary>
    /// <param name="folder">The folder, made if it is missing.</param>
    /// <param name="maxLength">The model's context in tokens, for <c>model_max_length</c>; left out when null.</param>
    /// <exception cref="TinyLlmException">A file cannot be written.</exception>
    public static void Save(Tokenizer tokenizer, string folder, int? maxLength = null)
    {
        Write(Path.Combine(folder, TokenizerFile), writer => TokenizerJsonWriter.Write(writer, tokenizer));
        Write(Path.Combine(folder, ConfigFile), writer => WriteConfig(writer, maxLength));
    }

    /// <summary>Reads the tokenizer of a folder; the kind follows from the structure of <c>tokenizer.json</c>.</summary>
    /// <exception cref="TinyLlmException">
    /// The file is missing or malformed, or describes something other than the three kinds: another model, pre-tokenizer or normalizer,
    /// ids with gaps or duplicates, other special tokens than <see cref="Tokenizer.SpecialTokens"/> at the end.
    /// </exception>
    public static Tokenizer Load(string folder)
    {
        string path = Path.Combine(folder, TokenizerFile);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TinyLlmException($"There is no {path}; expected the folder of a tokenizer or model; give the folder that `tinyllm tokenizer train` or `tinyllm pretrain` wrote.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }

        return TokenizerJsonReader.Read(bytes, path);
    }

    private static void WriteConfig(Utf8JsonWriter writer, int? maxLength)
    {
        writer.WriteStartObject();
        // The class that takes tokenizer.json as it stands; Qwen2Tokenizer would put Unicode normalisation in front.
        writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        writer.WriteBoolean("add_prefix_space", false);
        writer.WriteBoolean("add_bos_token", false);
        writer.WriteBoolean("clean_up_tokenization_spaces", false);
        writer.WriteNull("bos_token");
        writer.WriteString("eos_token", Tokenizer.SpecialTokens[0]);
        writer.WriteString("pad_token", Tokenizer.SpecialTokens[0]);
        writer.WriteNull("unk_token");
        writer.WriteStartArray("additional_special_tokens");
        writer.WriteStringValue(Tokenizer.SpecialTokens[1]);
        writer.WriteStringValue(Tokenizer.SpecialTokens[2]);
        writer.WriteEndArray();
        if (maxLength is int length)
            writer.WriteNumber("model_max_length", length);
        writer.WriteString("chat_template", ChatTemplate.Jinja);
        writer.WriteEndObject();
    }

    private static void Write(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, file =>
    {
        using (var writer = new Utf8JsonWriter(file, writerOptions))
            write(writer);
        file.WriteByte((byte)'\n');
    });
}
