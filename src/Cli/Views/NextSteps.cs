using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>The commands that a finished run suggests: only such as can work with its model.</summary>
internal static class NextSteps
{
    private const string Prompt = "Once upon a time", Questions = "builtin:questions";

    /// <summary>
    /// The commands behind the program's name, each with a word why where it does not explain itself.
    /// </summary>
    /// <param name="stage">pretrain or finetune.</param>
    /// <param name="model">The run's model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="folder">The run's folder, as it is to be written on a command line.</param>
    public static IEnumerable<string> After(string stage, Gpt model, Tokenizer tokenizer, string folder)
    {
        bool questions = Works(() => SftStage.Create(model, tokenizer, [Questions], [], packed: false));
        if (stage == "pretrain")
        {
            yield return $"generate --model {folder}"
                + (Works(() => tokenizer.Encode(Prompt)) ? $" --prompt \"{Prompt}\"" : "");
            if (questions)
                yield return $"finetune --model {folder}";
            else if (tokenizer.HasTurns)
            {
                yield return $"finetune --model {folder} --data FILE.jsonl   (rows of yours: the built-in questions "
                    + "cannot be written with its tokenizer, or do not fit its context)";
            }

            yield break;
        }

        yield return $"chat --model {folder}";
        if (questions)
            yield return $"eval --model {folder} --data {Questions} --exact-match";
    }

    private static bool Works(Action first)
    {
        try
        {
            first();
            return true;
        }
        catch (TinyLlmException)
        {
            return false;
        }
    }
}
