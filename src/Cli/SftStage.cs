using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>Supervised finetuning: conversations, of which the assistant's words are learned.</summary>
internal static class SftStage
{
    /// <summary>Reads the rows and says what the loop learns from.</summary>
    /// <exception cref="TinyLlmException">They cannot be read, or hold nothing to learn.</exception>
    public static Stage Create(Gpt model, Tokenizer tokenizer, string[] sources, string[] validation, bool packed)
    {
        var rows = ChatData.Load(sources, validation);
        var train = new ChatExamples(rows.Train, tokenizer, model.Config.Context, packed: packed);
        var held = new ChatExamples(rows.Validation, tokenizer, model.Config.Context, train.Length, packed);
        string inRows = packed ? $" in {train.Count:N0} rows" : "";
        string summary = $"{string.Join(", ", sources)}: {train.Conversations:N0} conversations{inRows} with "
            + $"{train.Scored:N0} scored tokens, {held.Conversations:N0} for validation, {train.Length} tokens a row";
        int[] prompt = ChatTemplate.EncodePrompt(tokenizer, rows.Validation[0].FirstPrompt);
        return new Stage("finetune", model, tokenizer, train, held, prompt, "chat",
            [("data", summary), .. LeftOut("training", train), .. LeftOut("validation", held), .. Notes(rows.Report)]);
    }

    /// <summary>What the headings say of rows that are marked as not to be learned, and of fields that were not
    /// read.</summary>
    public static IEnumerable<(string Name, string Text)> Notes(RowReport report)
    {
        if (report.NotLearned > 0)
            yield return ("skipped", $"{report.NotLearned:N0} rows that are marked as not to be learned");
        if (report.Describe() is { } fields)
            yield return ("not read", $"fields: {fields}");
    }

    private static IEnumerable<(string, string)> LeftOut(string what, ChatExamples rows)
    {
        if (rows.Skipped > 0)
            yield return ("skipped", $"{rows.Skipped:N0} {what} rows without an assistant's token within the context");
        if (rows.Cut > 0)
            yield return ("cut", $"{rows.Cut:N0} {what} rows longer than the context");
    }
}
