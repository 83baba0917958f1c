using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Training.Data;

/// <summary>Documents to learn from and documents to be measured on. A document is any bytes.</summary>
/// <param name="Train">Documents of the training split.</param>
/// <param name="Validation">Documents of the validation split.</param>
public sealed record TextSplits(IReadOnlyList<ReadOnlyMemory<byte>> Train, IReadOnlyList<ReadOnlyMemory<byte>> Validation);

/// <summary>Reads text: files, each one document, or the built-in corpora.</summary>
public static class TextData
{
    /// <summary>What the name of a built-in corpus begins with.</summary>
    public const string BuiltinPrefix = "builtin:";

    /// <summary>
    /// Reads the sources. Built-in corpora have a validation split of their own; of a file the last tenth is validation, unless
    /// <paramref name="validation"/> names another source for it.
    /// </summary>
    /// <exception cref="TinyLlmException">A source is missing, empty or unknown.</exception>
    public static TextSplits Load(IReadOnlyList<string> sources, string? validation = null)
    {
        var train = new List<ReadOnlyMemory<byte>>();
        var held = new List<ReadOnlyMemory<byte>>();
        foreach (string source in sources)
        {
            if (IsBuiltin(source))
            {
                train.AddRange(Builtin(source, Split.Train));
                if (validation is null)
                    held.AddRange(Builtin(source, Split.Validation));
                continue;
            }

            var text = ReadFile(source);
            if (validation is not null)
            {
                train.Add(text);
                continue;
            }

            int cut = CharacterStart(text.Span, (int)(text.Length * 0.9));
            train.Add(text[..cut]);
            held.Add(text[cut..]);
        }

        if (validation is not null)
            held.AddRange(IsBuiltin(validation) ? Builtin(validation, Split.Validation) : [ReadFile(validation)]);
        return new TextSplits(train, held);
    }

    /// <summary>Whether a source is a built-in corpus and not a file.</summary>
    public static bool IsBuiltin(string source) => source.StartsWith(BuiltinPrefix, StringComparison.Ordinal);

    /// <summary>The documents of one split of a built-in corpus; questions are written as "question, line break, answer".</summary>
    /// <exception cref="TinyLlmException">There is no such corpus.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Builtin(string source, Split split) => source[BuiltinPrefix.Length..] switch
    {
        "stories" => BuiltinData.Stories(split).Select(Bytes),
        "questions" => BuiltinData.Questions(split).Select(chat => Bytes(string.Join('\n', chat.Turns.Select(turn => $"{turn.Question}\n{turn.Answer}")))),
        _ => throw new TinyLlmException($"--data {source}: there is no such built-in corpus; expected builtin:stories or builtin:questions."),
    };

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="TinyLlmException">It is missing, a folder, unreadable or empty.</exception>
    public static ReadOnlyMemory<byte> ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new TinyLlmException($"--data {path}: this is a folder; expected a text file.");
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }

        if (bytes.Length == 0)
            throw new TinyLlmException($"--data {path}: the file is empty; expected text.");
        return bytes;
    }

    /// <summary>
    /// All documents as one stream of token ids, with an end-of-text token before the first and after each, so that the model learns how a
    /// document begins as well as how it ends. A vocabulary that has a token for the begin (Llama 3) has it before each document.
    /// </summary>
    /// <exception cref="TinyLlmException">The tokenizer cannot write a document.</exception>
    public static int[] Encode(IReadOnlyList<ReadOnlyMemory<byte>> documents, Tokenizer tokenizer)
    {
        var ids = new List<int> { tokenizer.DocumentStart };
        foreach (var document in documents)
        {
            if (tokenizer.DocumentStart != tokenizer.EndOfText && ids.Count > 1)
                ids.Add(tokenizer.DocumentStart);
            ids.AddRange(tokenizer.Encode(document.Span));
            ids.Add(tokenizer.EndOfText);
        }

        return [.. ids];
    }

    /// <summary>Documents one after another, for training a tokenizer.</summary>
    public static byte[] Concatenate(IEnumerable<ReadOnlyMemory<byte>> documents)
    {
        using var bytes = new MemoryStream();
        foreach (var document in documents)
            bytes.Write(document.Span);
        return bytes.ToArray();
    }

    /// <summary>A hash of examples' tokens, by which a resume knows its data.</summary>
    public static string Hash(params ReadOnlySpan<IExamples> sets)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var examples in sets)
        {
            int[] tokens = new int[examples.Length], targets = new int[examples.Length];
            for (long i = 0; i < examples.Count; i++)
            {
                examples.Read(0, i, tokens, targets);
                sha.AppendData(MemoryMarshal.AsBytes<int>(tokens));
                sha.AppendData(MemoryMarshal.AsBytes<int>(targets));
            }
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    private static ReadOnlyMemory<byte> Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    // The first byte at or after a place that begins a UTF-8 character.
    private static int CharacterStart(ReadOnlySpan<byte> text, int place)
    {
        while (place < text.Length && (text[place] & 0xC0) == 0x80)
            place++;
        return place;
    }
}
