namespace TinyLlm.Tokenizers;

/// <summary>
/// Which added tokens are marks of chats and documents. A text never becomes one of them, even where a tokenizer's file
/// says that they are not special: whoever could write them into a message could end its turn and speak as somebody
/// else.
/// </summary>
internal static class ChatMarks
{
    // Of published tokenizers: what begins and ends documents, turns and the headers of turns.
    private static readonly HashSet<string> known =
    [
        .. Tokenizer.SpecialTokens, .. AddedTokens.KnownEnds, WordTokenizer.UnknownToken,
        "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|im_sep|>",
        "<|start|>", "<|message|>", "<|channel|>", "<|return|>", "<|end|>", "<|startoftext|>", "<|endofprompt|>",
        "<|end_of_turn|>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>", "<bos>", "<eos>", "<pad>",
        "<unk>", "<|padding|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    ];

    private static readonly HashSet<string> roles = new(
        ["system", "user", "assistant", "human", "bot", "model", "developer", "tool", "observation"],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a token is such a mark.</summary>
    /// <param name="name">How it is written.</param>
    /// <param name="template">The chat template's text, empty where there is none.</param>
    /// <param name="isToken">Whether another name is that of an added token.</param>
    public static bool Is(string name, string template, Func<string, bool> isToken)
    {
        string inner = string.Concat(name.SkipWhile(IsSign).Reverse().SkipWhile(IsSign).Reverse());
        bool isWrapped = inner.Length > 0 && IsSign(name[0]) && IsSign(name[^1]);
        if (known.Contains(name) || isWrapped && roles.Contains(inner))
            return true;

        // What a template writes around what is said. A pair of tags, as <think> and </think>, belongs to what is said.
        bool isOfPair = IsTag(name, inner) && isToken($"<{inner}>") && isToken($"</{inner}>");
        return isWrapped && !isOfPair && template.Contains(name, StringComparison.Ordinal);
    }

    private static bool IsSign(char c) => !char.IsLetterOrDigit(c) && !char.IsWhiteSpace(c);

    private static bool IsTag(string name, string inner) => name == $"<{inner}>" || name == $"</{inner}>";
}
