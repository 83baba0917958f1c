using TinyLlm.Kernels;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Training.Data;

/// <summary>Conversations to learn from and conversations to be measured on.</summary>
/// <param name="Train">Rows of the training split.</param>
/// <param name="Validation">Rows of the validation split.</param>
public sealed record ChatSplits(IReadOnlyList<Conversation> Train, IReadOnlyList<Conversation> Validation);

/// <summary>Reads conversations: JSON-lines files or the built-in questions.</summary>
public static class ChatData
{
    /// <summary>
    /// Reads the sources. The built-in questions have a validation split of their own; of a file's rows the last tenth is validation, unless
    /// <paramref name="validation"/> names another source for it.
    /// </summary>
    /// <exception cref="TinyLlmException">A source is missing, empty, malformed or too short to split.</exception>
    public static ChatSplits Load(IReadOnlyList<string> sources, string? validation = null)
    {
        var train = new List<Conversation>();
        var held = new List<Conversation>();
        foreach (string source in sources)
        {
            if (TextData.IsBuiltin(source))
            {
                train.AddRange(Read(source, Split.Train));
                if (validation is null)
                    held.AddRange(Read(source, Split.Validation));
                continue;
            }

            HeldOut.Split(source, Read(source, Split.Train), "row", validation is not null, train, held);
        }

        if (validation is not null)
            held.AddRange(Read(validation, Split.Validation));
        return new ChatSplits(train, held);
    }

    /// <summary>Whether a source holds conversations and not plain text; of a file of JSON lines, whatever its compression, its first row tells.</summary>
    /// <param name="source">A --data word.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null: <c>text</c> does, where there is no conversation.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, or its first row is neither.</exception>
    public static bool IsChat(string source, string? textField) =>
        source == "builtin:questions" || File.Exists(source) && SourceFormat.Of(source).Content == Content.JsonLines && ChatRows.AreIn(source, textField);

    /// <summary>All rows of a source, or one split of a built-in one.</summary>
    /// <exception cref="TinyLlmException">The source is missing, unknown or malformed.</exception>
    public static IReadOnlyList<Conversation> Read(string source, Split split)
    {
        if (!TextData.IsBuiltin(source))
            return ChatRows.Read(source).ToList();
        if (source != "builtin:questions")
            throw new TinyLlmException($"--data {source}: expected builtin:questions or a .jsonl file of conversations, also .gz or .zst; stories have no answers to learn.");
        return BuiltinData.Questions(split).Select(chat => new Conversation(chat.Turns
            .SelectMany(turn => new[] { new ChatMessage("user", turn.Question), new ChatMessage(ChatTemplate.Assistant, turn.Answer) }).ToList())).ToList();
    }
}
