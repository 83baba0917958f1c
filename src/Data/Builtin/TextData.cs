using System.Text;

namespace TinyLlm.Data;

/// <summary>The built-in corpora as text.</summary>
public static class TextData
{
    /// <summary>What the name of a built-in corpus begins with.</summary>
    public const string BuiltinPrefix = "builtin:";

    /// <summary>Whether a source is a built-in corpus and not a file.</summary>
    public static bool IsBuiltin(string source) => source.StartsWith(BuiltinPrefix, StringComparison.Ordinal);

    /// <summary>
    /// The documents of one split of a built-in corpus; questions are written as "question, line break, answer".
    /// </summary>
    /// <exception cref="TinyLlmException">There is no such corpus.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Builtin(string source, Split split) =>
        source[BuiltinPrefix.Length..] switch
        {
            "stories" => BuiltinData.Stories(split).Select(Bytes),
            "questions" =>
                BuiltinData.Questions(split)
                .Select(chat => Bytes(string.Join('\n', chat.Turns.Select(turn => $"{turn.Question}\n{turn.Answer}")))),
            _ => throw new TinyLlmException(
                $"--data {source}: there is no such built-in corpus; expected builtin:stories or builtin:questions."),
        };

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
