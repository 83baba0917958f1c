using System.Buffers;
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
        AtomicFile.Write(Path.Combine(folder, TokenizerFile), file => file.Write(Format(tokenizer)));
        AtomicFile.Write(Path.Combine(folder, ConfigFile), file => file.Write(Format(writer => WriteConfig(writer, tokenizer, maxLength))));
    }

    /// <summary>What <see cref="Save"/> writes as <see cref="TokenizerFile"/>.</summary>
    internal static byte[] Format(Tokenizer tokenizer) => Format(writer => TokenizerJsonWriter.Write(writer, tokenizer));

    /// <summary>
    /// Reads the tokenizer of a folder: <c>tokenizer.json</c>, whose structure says the kind, or else GPT-2's <c>vocab.json</c> and
    /// <c>merges.txt</c>.
    /// </summary>
    /// <exception cref="TinyLlmException">
    /// The files are missing or malformed, or describe something that would give other ids here: another model, pre-tokenizer or normalizer,
    /// ids with gaps or duplicates.
    /// </exception>
    public static Tokenizer Load(string folder)
    {
        string path = Path.Combine(folder, TokenizerFile), vocabulary = Path.Combine(folder, Gpt2Files.VocabularyFile), merges = Path.Combine(folder, Gpt2Files.MergesFile);
        if (ReadFile(path) is { } bytes)
            return TokenizerJsonReader.Read(bytes, path, ReadEndOfText(Path.Combine(folder, ConfigFile)));
        return (ReadFile(vocabulary), ReadFile(merges)) switch
        {
            ({ } v, { } m) => Gpt2Files.Read(v, vocabulary, m, merges),
            ({ }, null) => throw new TinyLlmException($"There is {vocabulary} but no {Gpt2Files.MergesFile}; expected both, or a {TokenizerFile}; copy the other file too."),
            (null, { }) => throw new TinyLlmException($"There is {merges} but no {Gpt2Files.VocabularyFile}; expected both, or a {TokenizerFile}; copy the other file too."),
            _ => throw new TinyLlmException($"There is no {path}; expected the folder of a tokenizer or model; give the folder that `tinyllm tokenizer train` or `tinyllm pretrain` wrote."),
        };
    }

    /// <summary>The bytes of a file, null if there is none.</summary>
    private static byte[]? ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }

    // eos_token: a name, or an object that has it as content. Other programs write this file, and what it says otherwise is theirs.
    private static string? ReadEndOfText(string path)
    {
        if (ReadFile(path) is not { } bytes)
            return null;
        try
        {
            using var document = JsonText.Parse(bytes);
            var name = JsonView.TryGet(document.RootElement, "eos_token");
            if (name is { ValueKind: JsonValueKind.Object })
                name = JsonView.TryGet(name.Value, "content");
            return name is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new TinyLlmException($"{path} is not valid JSON ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a Hugging Face tokenizer_config.json; copy the file again.", e);
        }
    }

    private static void WriteConfig(Utf8JsonWriter writer, Tokenizer tokenizer, int? maxLength)
    {
        bool hasStart = tokenizer.DocumentStart != tokenizer.EndOfText;
        writer.WriteStartObject();
        // The class that takes tokenizer.json as it stands; Qwen2Tokenizer would put Unicode normalisation in front.
        writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        writer.WriteBoolean("add_prefix_space", false);
        writer.WriteBoolean("add_bos_token", hasStart);
        writer.WriteBoolean("clean_up_tokenization_spaces", false);
        WriteToken("bos_token", hasStart ? tokenizer.DocumentStart : null);
        WriteToken("eos_token", tokenizer.EndOfText);
        WriteToken("pad_token", tokenizer.EndOfText);
        WriteToken("unk_token", tokenizer.Unknown);
        writer.WriteStartArray("additional_special_tokens");
        foreach (var token in tokenizer.AddedTokens.Items)
        {
            if (token.IsSpecial && token.Id != tokenizer.EndOfText && token.Id != tokenizer.DocumentStart)
                writer.WriteStringValue(token.Text);
        }

        writer.WriteEndArray();
        if (maxLength is int length)
            writer.WriteNumber("model_max_length", length);
        if (tokenizer.HasTurns)
            writer.WriteString("chat_template", ChatTemplate.Jinja);
        writer.WriteEndObject();

        void WriteToken(string property, int? id)
        {
            if (id is int token)
                writer.WriteString(property, tokenizer.TokenBytes(token));
            else
                writer.WriteNull(property);
        }
    }

    private static byte[] Format(Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, writerOptions))
            write(writer);
        bytes.Write("\n"u8);
        return bytes.WrittenSpan.ToArray();
    }
}
