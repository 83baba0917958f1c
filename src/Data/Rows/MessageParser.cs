using System.Text;
using System.Text.Json;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data;

/// <summary>Reads lists of messages, <c>{"role", "content"}</c>: the same for every form of row.</summary>
internal static class MessageParser
{
    /// <summary>Takes a list of messages.</summary>
    /// <param name="parser">The row.</param>
    /// <param name="field">The field of the list.</param>
    /// <exception cref="TinyLlmException">It is no list, empty, or a message is damaged, of an unknown role, or
    /// has what is not read and would be learned.</exception>
    public static List<ChatMessage> TakeMessages(this RowParser parser, string field)
    {
        parser.Take(field);
        if (!parser.Row.TryGetProperty(field, out var list))
            throw parser.Fault($"\"{field}\" is missing; expected an array of {{\"role\", \"content\"}}");
        if (list.ValueKind != JsonValueKind.Array)
        {
            throw parser.Fault($"\"{field}\" is {RowParser.Kind(list)}; expected an array of {{\"role\", "
                + $"\"content\"}}");
        }

        if (list.GetArrayLength() == 0)
            throw parser.Fault($"\"{field}\" is empty; expected at least one {{\"role\", \"content\"}}");
        return [.. list.EnumerateArray().Select((message, i) => Message(parser, message, field, i + 1))];
    }

    private static ChatMessage Message(RowParser parser, JsonElement message, string field, int number)
    {
        string name = field == RowFields.Messages ? $"message {number}" : $"message {number} in \"{field}\"",
            where = $" of {name}";
        if (message.ValueKind != JsonValueKind.Object)
            throw parser.Fault($"{name} is {RowParser.Kind(message)}; expected {{\"role\", \"content\"}}");
        string role = parser.Text(message, "role", where);
        if (!ChatTemplate.Roles.Contains(role))
        {
            throw parser.Fault($"\"role\"{where} is {JsonSerializer.Serialize(role)}; expected "
                + $"{string.Join(", ", ChatTemplate.Roles)}");
        }

        bool learned = true;
        foreach (var property in message.EnumerateObject())
        {
            if (property.Name is "role" or "content" || property.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (RowFields.RefusedOfMessage.Contains(property.Name))
            {
                // What a mask means is a matter of who wrote it, also where it is false.
                if (RowParser.IsEmpty(property.Value) && property.Name is not ("mask" or "loss_mask"))
                    continue;
                throw parser.Fault($"\"{property.Name}\"{where} changes what is seen or learned, and is not read; "
                    + "expected messages whose text is all in \"content\"");
            }

            if (IsLearned(parser, property, where, role) is { } mark)
                learned &= mark;
            else
                parser.Report.AddNotRead($"{field}[].{property.Name}");
        }

        return new ChatMessage(role, Content(parser, message, field, where))
        {
            IsLearned = learned
                || role != ChatTemplate.Assistant
        };
    }

    // What a mark says; null where the field is none.
    private static bool? IsLearned(RowParser parser, JsonProperty property, string where, string role)
    {
        if (property.Name == RowFields.Weight)
            return parser.Number(property.Value, property.Name, where) == 1;
        if (property.Name == RowFields.Masked)
            return !parser.Switch(property.Value, property.Name, where);
        if (!RowFields.Learned.Contains(property.Name))
            return null;
        bool learned = parser.Switch(property.Value, property.Name, where);
        return learned && role != ChatTemplate.Assistant
            ? throw parser.Fault($"\"{property.Name}\"{where} is {property.Value.GetRawText()}, and its role is "
                + $"{role}; only the assistant's turns are learned. Leave the field out")
            : learned;
    }

    private static string Content(RowParser parser, JsonElement message, string field, string where)
    {
        if (!message.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.Array)
            return parser.Text(message, "content", where);
        var text = new StringBuilder();
        int number = 0;
        foreach (var part in content.EnumerateArray())
        {
            string name = $"part {++number} of \"content\"{where}";
            if (part.ValueKind != JsonValueKind.Object)
                throw parser.Fault($"{name} is {RowParser.Kind(part)}; expected {{\"type\": \"text\", \"text\"}}");
            string type = parser.Text(part, "type", $" of {name}");
            if (type != "text")
            {
                throw parser.Fault($"{name} is of the type {JsonSerializer.Serialize(type)}; expected text: nothing "
                    + "else is learned or seen");
            }

            text.Append(parser.Text(part, "text", $" of {name}"));
            foreach (var property in part.EnumerateObject().Where(property => property.Name is not ("type" or "text")
                && !RowParser.IsEmpty(property.Value)))
                parser.Report.AddNotRead($"{field}[].content[].{property.Name}");
        }

        return text.ToString();
    }
}
