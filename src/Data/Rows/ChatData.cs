using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>Conversations to learn from and conversations to be measured on.</summary>
/// <param name="Train">Rows of the training split.</param>
/// <param name="Validation">Rows of the validation split.</param>
/// <param name="Report">What was left out of both, and what was not read.</param>
public sealed record ChatSplits(IReadOnlyList<Conversation> Train, IReadOnlyList<Conversation> Validation,
    RowReport Report);

/// <summary>Reads conversations: files of rows or the built-in questions.</summary>
public static class ChatData
{
    private const string QuestionsSource = TextData.BuiltinPrefix + BuiltinData.QuestionsName;

    /// <summary>
    /// Reads the sources. The built-in questions have a validation split of their own; of a file's rows the last tenth
    /// is validation, unless
    /// <paramref name="validation"/> names other sources for it.
    /// </summary>
    /// <exception cref="TinyLlmException">A source is missing, empty, malformed or too short to split.</exception>
    public static ChatSplits Load(IReadOnlyList<string> sources, IReadOnlyList<string>? validation = null)
    {
        validation ??= [];
        var report = new RowReport();
        var train = new List<Conversation>();
        var held = new List<Conversation>();
        foreach (string source in sources)
        {
            if (TextData.IsBuiltin(source))
            {
                train.AddRange(Read(source, Split.Train, report));
                if (validation.Count == 0)
                    held.AddRange(Read(source, Split.Validation, report));
                continue;
            }

            HeldOut.Split(source, Read(source, Split.Train, report), "row", validation.Count > 0, train, held);
        }

        foreach (string source in validation)
            held.AddRange(Read(source, Split.Validation, report, "--val-data"));
        if (validation.Count > 0 && held.Count == 0)
        {
            throw new TinyLlmException($"--val-data {string.Join(' ', validation)}: no row is to be learned; expected "
                + "one or more to measure on.");
        }

        return new ChatSplits(train, held, report);
    }

    /// <summary>Whether a source holds conversations and not plain text; of a file of rows, whatever its compression,
    /// its first row tells.</summary>
    /// <param name="source">A --data word.</param>
    /// <param name="textField">The field that makes a row a document, whatever else it has; null: <c>text</c> does,
    /// where there is no conversation.</param>
    /// <exception cref="TinyLlmException">The file cannot be read, or, of JSON lines, its first row is
    /// neither.</exception>
    public static bool IsChat(string source, string? textField) => source == QuestionsSource || RowFile.MayBe(source)
        && ChatRows.AreIn(source, textField);

    /// <summary>All rows of a source, or one split of a built-in one.</summary>
    /// <param name="source">The source.</param>
    /// <param name="split">The split of a built-in one.</param>
    /// <param name="report">Counts what is left out and what is not read.</param>
    /// <param name="option">The option that names the source, for messages.</param>
    /// <exception cref="TinyLlmException">The source is missing, unknown or malformed.</exception>
    public static IReadOnlyList<Conversation> Read(
        string source, Split split, RowReport? report = null, string option = "--data")
    {
        if (!TextData.IsBuiltin(source))
            return ChatRows.Read(source, report).ToList();
        if (source != QuestionsSource)
        {
            throw new TinyLlmException($"{option} {source}: expected builtin:questions or a file of conversations "
                + $"({RowFiles.Kinds}); stories have no answers to learn.");
        }

        return BuiltinData.Questions(split).Select((chat, i) => new Conversation(chat.Turns
            .SelectMany(turn => new[] { new ChatMessage("user", turn.Question), new ChatMessage(ChatTemplate.Assistant,
                turn.Answer) }).ToList())
        { Place = RowPlace.Row(source, i + 1) }).ToList();
    }
}
