using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TinyLlm.Tokenizers;

/// <summary>
/// A tokenizer as a folder that Hugging Face opens too: <c>tokenizer.json</c> holds the vocabulary and says how text is
/// cut, <c>tokenizer_config.json</c> tells other programs which token ends a text and how a chat is laid out. What the
/// files beside the vocabulary say is kept (<see cref="TokenizerNotes"/>).
/// </summary>
public static class TokenizerFolder
{
    /// <summary>The file that <see cref="Load"/> reads.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>
    /// The file for other programs; <see cref="Load"/> keeps what it says of the ends of a text and of chats, and needs
    /// none.
    /// </summary>
    public const string ConfigFile = "tokenizer_config.json";

    /// <summary>Files and a folder that <see cref="Save"/> writes for some tokenizers only.</summary>
    public static readonly IReadOnlyList<string> OptionalFiles =
        [TokenizerNotesReader.GenerationFile, TokenizerNotesReader.TemplateFile, TokenizerNotesReader.TemplateFolder];

    private static readonly JsonWriterOptions writerOptions = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // the files are read as JSON, never pasted into HTML
    };

    /// <summary>
    /// Writes both files, each whole or not at all (<see cref="AtomicFile"/>), chat templates that were files of their
    /// own, and <c>generation_config.json</c> where a text ends with ids that the other files do not tell.
    /// </summary>
    /// <param name="folder">The folder, made if it is missing.</param>
    /// <param name="maxLength">The model's context in tokens, for <c>model_max_length</c>; left out when null.</param>
    /// <exception cref="TinyLlmException">A file cannot be written.</exception>
    public static void Save(Tokenizer tokenizer, string folder, int? maxLength = null)
    {
        SaveBesideModel(tokenizer, folder, maxLength);
        if (tokenizer.Notes.GenerationBeside(tokenizer) is { } generation)
            AtomicFile.WriteText(Path.Combine(folder, TokenizerNotesReader.GenerationFile), generation);
    }

    /// <summary>The same for a model's folder, which has files that tell the ids.</summary>
    internal static void SaveBesideModel(Tokenizer tokenizer, string folder, int? maxLength)
    {
        AtomicFile.Write(Path.Combine(folder, TokenizerFile), file => file.Write(Format(tokenizer)));
        AtomicFile.Write(
            Path.Combine(folder, ConfigFile), file =>
                file.Write(Format(writer => WriteConfig(writer, tokenizer, maxLength))));
        foreach (var (path, text) in tokenizer.Notes.TemplateFiles)
            AtomicFile.Write(Path.Combine(folder, path), file => file.Write(text));
    }

    /// <summary>What <see cref="Save"/> writes as <see cref="TokenizerFile"/>.</summary>
    internal static byte[] Format(Tokenizer tokenizer) =>
        Format(writer => TokenizerJsonWriter.Write(writer, tokenizer));

    /// <summary>
    /// Reads the tokenizer of a folder: <c>tokenizer.json</c>, whose structure says the kind, or else GPT-2's
    /// <c>vocab.json</c> and <c>merges.txt</c>.
    /// </summary>
    /// <exception cref="TinyLlmException">
    /// The files are missing or malformed, or describe something that would give other ids here: another model,
    /// pre-tokenizer or normalizer, ids with gaps or duplicates.
    /// </exception>
    public static Tokenizer Load(string folder)
    {
        string path = Path.Combine(folder, TokenizerFile);
        byte[]? json = ReadFile(path);
        var notes = TokenizerNotesReader.Read(folder);
        var tokenizer = json is null ? LoadGpt2(folder) : TokenizerJsonReader.Read(json, path, notes.EndToken);
        tokenizer.Tell(notes);
        return tokenizer;
    }

    private static ByteLevelBpeTokenizer LoadGpt2(string folder)
    {
        string vocabularyPath = Path.Combine(folder, Gpt2Files.VocabularyFile);
        string mergesPath = Path.Combine(folder, Gpt2Files.MergesFile);
        return (ReadFile(vocabularyPath), ReadFile(mergesPath)) switch
        {
            ({ } vocabulary, { } merges) => Gpt2Files.Read(vocabulary, vocabularyPath, merges, mergesPath),
            ({ }, null) => throw Missing(vocabularyPath, Gpt2Files.MergesFile),
            (null, { }) => throw Missing(mergesPath, Gpt2Files.VocabularyFile),
            _ => throw new TinyLlmException($"There is no {Path.Combine(folder, TokenizerFile)}; expected the folder "
                + "of a tokenizer or model; give the folder that `tinyllm tokenizer train` or `tinyllm pretrain` "
                + "wrote."),
        };

        static TinyLlmException Missing(string there, string missing) =>
            new($"There is {there} but no {missing}; expected both, or a {TokenizerFile}; copy the other file too.");
    }

    /// <summary>
    /// The bytes of a file without a byte order mark, which some editors put first; null if there is none.
    /// </summary>
    internal static byte[]? ReadFile(string path)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(path);
            return bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
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

    private static void WriteConfig(Utf8JsonWriter writer, Tokenizer tokenizer, int? maxLength)
    {
        var told = tokenizer.Notes.Config;
        writer.WriteStartObject();
        // The class that takes tokenizer.json as it stands; Qwen2Tokenizer would put Unicode normalisation in front.
        writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        writer.WriteBoolean("add_prefix_space", false);
        if (!WriteTold("add_bos_token"))
            writer.WriteBoolean("add_bos_token", tokenizer.BeginOfText is not null);
        WriteTold("add_eos_token");
        writer.WriteBoolean("clean_up_tokenization_spaces", false);
        WriteToken("bos_token", tokenizer.BeginOfText);
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

        // A tokenizer from elsewhere has its own, or none until its model is taught to chat.
        bool isOurs = told is null && tokenizer.Notes.TemplateFiles.Count == 0;
        if (!WriteTold(TokenizerNotes.TemplateField) && isOurs && tokenizer.HasTurns)
            writer.WriteString(TokenizerNotes.TemplateField, ChatTemplate.Jinja);
        writer.WriteEndObject();

        void WriteToken(string property, int? id)
        {
            if (WriteTold(property))
                return;
            if (id is int token)
                writer.WriteString(property, tokenizer.TokenBytes(token));
            else
                writer.WriteNull(property);
        }

        // As it was read.
        bool WriteTold(string property)
        {
            if (told?.TryGetValue(property, out var value) != true)
                return false;
            writer.WritePropertyName(property);
            value.WriteTo(writer);
            return true;
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
