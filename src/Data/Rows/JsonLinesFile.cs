using System.Text.Encodings.Web;
using System.Text.Json;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>Appends rows to a file of JSON lines, each whole: what was written before stays as it is.</summary>
public static class JsonLinesFile
{
    // Text stays readable: the file is no web page.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Appends a conversation, as <see cref="ChatRows"/> reads it: <c>{"messages": [{"role", "content"}, ...]}</c>.
    /// </summary>
    /// <exception cref="TinyLlmException">The file cannot be written.</exception>
    public static void Append(string path, IReadOnlyList<ChatMessage> messages) =>
        Append(path, json => WriteMessages(json, "messages", messages));

    /// <summary>Appends an object.</summary>
    /// <param name="path">The file; it is made where there is none.</param>
    /// <param name="fields">Writes the object's fields.</param>
    /// <exception cref="TinyLlmException">The file cannot be written.</exception>
    public static void Append(string path, Action<Utf8JsonWriter> fields)
    {
        try
        {
            using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            using var row = new MemoryStream();
            if (IsLineOpen(file))
                row.WriteByte((byte)'\n');
            row.Write(Format(fields));
            row.WriteByte((byte)'\n');
            file.Seek(0, SeekOrigin.End);
            file.Write(row.GetBuffer(), 0, (int)row.Length);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Writing(path, exception, kept: false);
        }
    }

    /// <summary>Writes messages as a field of an object.</summary>
    public static void WriteMessages(Utf8JsonWriter json, string name, IReadOnlyList<ChatMessage> messages)
    {
        json.WriteStartArray(name);
        foreach (var (role, content) in messages)
        {
            json.WriteStartObject();
            json.WriteString("role", role);
            json.WriteString("content", content);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>An object on one line, without its line feed.</summary>
    internal static byte[] Format(Action<Utf8JsonWriter> fields)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Options))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    // Whether someone else's last line has no line feed, to which a row must not be joined.
    private static bool IsLineOpen(FileStream file)
    {
        if (file.Length == 0)
            return false;
        file.Seek(-1, SeekOrigin.End);
        return file.ReadByte() != '\n';
    }
}
