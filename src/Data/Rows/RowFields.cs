namespace TinyLlm.Data;

/// <summary>The names of fields that rows and their messages may have, by what they do.</summary>
internal static class RowFields
{
    /// <summary>The fields of the forms of a conversation, the first of each form telling it from others.</summary>
    public const string Messages = "messages", Prompt = "prompt", Completion = "completion", Question = "question",
        Answer = "answer",
        Instruction = "instruction", Input = "input", Output = "output", Context = "context", Response = "response";

    /// <summary>The fields of a comparison.</summary>
    public const string Chosen = "chosen", Rejected = "rejected";

    /// <summary>The fields of multiple choice.</summary>
    public const string Choices = "choices";

    /// <summary>How much a row or a turn counts: 0 or 1.</summary>
    public const string Weight = "weight";

    /// <summary>Whether an answer is good: TRL's rows with one rated answer.</summary>
    public const string Label = "label";

    /// <summary>Whether a row or a turn is learned.</summary>
    public static readonly string[] Learned = ["train", "training", "trainable", "loss", "learn"];

    /// <summary>Whether a turn is left out of the loss.</summary>
    public const string Masked = "masked";

    /// <summary>What the model is told before the first turn.</summary>
    public static readonly string[] System = ["system", "system_prompt", "system_message"];

    /// <summary>Fields of a row that change what a model sees or learns, and that nothing here does anything
    /// with.</summary>
    public static readonly HashSet<string> RefusedOfRow = new(StringComparer.Ordinal)
    {
        "tools", "functions", "tool_calls", "function_call", "tool_choice", "documents", "history", "chat_template",
            "chat_template_kwargs",
        "image", "images", "audio", "audios", "video", "videos", "reasoning_content", "thinking",
        "loss_mask", "completion_mask", "assistant_mask", "assistant_masks",
    };

    /// <summary>The same of a message.</summary>
    public static readonly HashSet<string> RefusedOfMessage = new(StringComparer.Ordinal)
    {
        "tool_calls", "tool_call", "function_call", "tools", "functions", "documents", "reasoning_content", "reasoning",
            "reasoning_details", "thinking", "thinking_blocks",
        "refusal", "image", "images", "audio", "audios", "video", "videos", "train_detail", "mask", "loss_mask",
            "loss_weight", "ignore",
    };

    // Which fields tell that a row is a conversation: any in JSON lines, where the rest is then asked for, but a whole
    // form in what may be a text.
    private static readonly string[] OfConversations = [Messages, Prompt, Completion, Question, Answer, Instruction];
    private static readonly string[][] Forms = [[Messages], [Prompt, Completion], [Question, Answer],
        [Instruction, Output], [Instruction, Response]];

    private static readonly HashSet<string> Known = new(
        [.. Forms.SelectMany(form => form), Input, Context, Chosen, Rejected, Choices, Weight, Label, .. Learned,
            .. System, .. RefusedOfRow], StringComparer.Ordinal);

    /// <summary>Whether any kind of row does something with a field, if only refuse it.</summary>
    public static bool IsKnown(string name) => Known.Contains(name);

    /// <summary>Whether names are those of a conversation.</summary>
    /// <param name="names">The fields of a row.</param>
    /// <param name="whole">Whether all of a form must be there.</param>
    public static bool AreConversation(IReadOnlyList<string> names, bool whole) =>
        whole ? Forms.Any(form => form.All(names.Contains)) : OfConversations.Any(names.Contains);
}
