using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TinyLlm.Data;

/// <summary>The parts of a data set.</summary>
public enum Split
{
    /// <summary>What the model learns from.</summary>
    Train,

    /// <summary>What choices between models are made on.</summary>
    Validation,

    /// <summary>What the last figure is measured on.</summary>
    Test,
}

/// <summary>One question and its answer.</summary>
public sealed record Turn(string Question, string Answer);

/// <summary>
/// A chat of one turn, or of two where the second question leans on the first. <paramref name="Key"/> is what the split
/// is made by: all phrasings of a key are in the same split.
/// </summary>
public sealed record Chat(string Family, string Key, IReadOnlyList<Turn> Turns)
{
    /// <summary>The last turn's question.</summary>
    public string Question => Turns[^1].Question;

    /// <summary>The last turn's answer, exact: the question allows no other.</summary>
    public string Answer => Turns[^1].Answer;
}

/// <summary>
/// The data that ships with TinyLlm, made by seeded grammars at run time: the same bytes on every machine.
/// <c>data/README.md</c> gives provenance, split rule and sizes.
/// </summary>
public static class BuiltinData
{
    /// <summary>The name of the short stories, <c>builtin:stories</c>.</summary>
    public const string StoriesName = "stories";

    /// <summary>The name of the question-answer chats, <c>builtin:questions</c>.</summary>
    public const string QuestionsName = "questions";

    /// <summary>The names that <c>--data builtin:NAME</c> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = [StoriesName, QuestionsName];

    /// <summary>
    /// The stories of a split, one document each: one paragraph of plain ASCII without line breaks. The split is made
    /// by the pair of main choices of a plot (what is lost and where, what is baked and what is missing): a pair is in
    /// one split only.
    /// </summary>
    public static IReadOnlyList<string> Stories(Split split) =>
        BuiltinStories.Generate(LoadStories(), split).ConvertAll(story => story.Text);

    /// <summary>
    /// The chats of a split, shuffled. The split is made by <see cref="Chat.Key"/>; families of closed facts
    /// (opposites, days of the week), which nobody can infer, are in <see cref="Split.Train"/> only.
    /// </summary>
    public static IReadOnlyList<Chat> Questions(Split split) => BuiltinQuestions.Generate(LoadQuestions(), split);

    /// <summary>
    /// Writes chats as JSON lines: <c>{"question", "answer", "family"}</c> for one turn,
    /// <c>{"messages": [{"role", "content"}, ...], "family"}</c> for more.
    /// </summary>
    public static void WriteQuestions(TextWriter writer, IEnumerable<Chat> chats)
    {
        foreach (var chat in chats)
        {
            writer.Write(ToJson(chat));
            writer.Write('\n');
        }
    }

    /// <summary>
    /// The split of a key: the FNV-1a hash of its UTF-8 bytes, mixed, modulo 100; 0 to 4 is validation, 5 to 9 test,
    /// the rest train.
    /// </summary>
    internal static Split SplitOf(string key)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(key))
            hash = (hash ^ b) * 0x100000001B3;
        return (SplitMix64.Mix(hash) % 100) switch
        {
            < 5 => Split.Validation,
            < 10 => Split.Test,
            _ => Split.Train,
        };
    }

    /// <summary>The grammar of the stories.</summary>
    internal static Grammar LoadStories() => Grammar.Parse(Resource("stories.json"), "stories.json");

    /// <summary>The grammar of the questions, which uses the words of the stories.</summary>
    internal static Grammar LoadQuestions() =>
        Grammar.Parse(Resource("questions.json"), "questions.json", LoadStories());

    private static string Resource(string name)
    {
        using var stream = typeof(BuiltinData).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException(
                $"The resource {name} is missing from the assembly; data/{name} must be embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static string ToJson(Chat chat)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(
            buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (chat.Turns.Count == 1)
            {
                json.WriteString("question", chat.Question);
                json.WriteString("answer", chat.Answer);
            }
            else
            {
                json.WriteStartArray("messages");
                foreach (var turn in chat.Turns)
                {
                    WriteMessage(json, "user", turn.Question);
                    WriteMessage(json, "assistant", turn.Answer);
                }
                json.WriteEndArray();
            }
            json.WriteString("family", chat.Family);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static void WriteMessage(Utf8JsonWriter json, string role, string content)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WriteString("content", content);
        json.WriteEndObject();
    }
}
