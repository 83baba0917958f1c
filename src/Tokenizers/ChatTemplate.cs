namespace TinyLlm.Tokenizers;

/// <summary>One turn of a chat.</summary>
/// <param name="Role">Who speaks: one of <see cref="ChatTemplate.Roles"/>.</param>
/// <param name="Content">What is said, as plain text.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>Whether the model learns to write it, where it is the assistant's: other turns are only seen, whatever
    /// this says.</summary>
    public bool IsLearned { get; init; } = true;
}

/// <summary>
/// ChatML, the layout of a chat: <c>&lt;|im_start|&gt;role\ncontent&lt;|im_end|&gt;\n</c> for each turn. The two marks
/// are special tokens that only this class places: a message whose text spells one of them cannot end its own turn.
/// </summary>
public static class ChatTemplate
{
    /// <summary>The speaker whose words the model learns and writes.</summary>
    public const string Assistant = "assistant";

    /// <summary>The speakers: instructions, questions, answers.</summary>
    public static readonly IReadOnlyList<string> Roles = ["system", "user", Assistant];

    /// <summary>
    /// The same layout as a Jinja template: <c>chat_template</c> in <c>tokenizer_config.json</c>, for other programs.
    /// </summary>
    public const string Jinja =
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
        + "+ '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>" + Assistant + "\\n' }}{% endif %}";

    /// <summary>
    /// Appends the tokens of a chat to <paramref name="ids"/> and, one for each, whether the model learns to write it.
    /// </summary>
    /// <param name="ids">The token ids are appended here.</param>
    /// <param name="isTrained">
    /// True exactly for the content of the assistant's turns that are learned and the <c>&lt;|im_end|&gt;</c> that ends
    /// them; false for every header, for what others say and for the line feed between turns.
    /// </param>
    /// <remarks>
    /// The assistant's content is encoded apart from its header, as it is when the model writes it; the other turns are
    /// encoded header and content together, as Hugging Face encodes the rendered <see cref="Jinja"/> text.
    /// </remarks>
    /// <exception cref="TinyLlmException">A role is not in <see cref="Roles"/>, or the tokenizer cannot write the
    /// text.</exception>
    public static void Encode(
        Tokenizer tokenizer, IReadOnlyList<ChatMessage> messages, List<int> ids, List<bool> isTrained)
    {
        if (ids.Count != isTrained.Count)
        {
            throw new ArgumentException(
                $"ids has {ids.Count} entries and isTrained {isTrained.Count}; they must match.", nameof(isTrained));
        }

        foreach (var message in messages)
        {
            var (role, content) = message;
            if (!Roles.Contains(role))
            {
                throw new TinyLlmException(
                    $"Chat message with role '{role}'; expected one of {string.Join(", ", Roles)}; rename the role.");
            }

            bool trained = role == Assistant && message.IsLearned;
            Append([tokenizer.TurnStart], false);
            if (role == Assistant)
            {
                Append(tokenizer.Encode(role + "\n"), false);
                Append(tokenizer.Encode(content), trained);
            }
            else
            {
                Append(tokenizer.Encode(role + "\n" + content), false);
            }

            Append([tokenizer.TurnEnd], trained);
            Append(tokenizer.Encode("\n"), false);
        }

        void Append(int[] tokens, bool trained)
        {
            ids.AddRange(tokens);
            isTrained.AddRange(Enumerable.Repeat(trained, tokens.Length));
        }
    }

    /// <summary>
    /// The tokens of a chat and the header of the assistant's next turn, <c>&lt;|im_start|&gt;assistant\n</c>: the
    /// model goes on from there until it writes <c>&lt;|im_end|&gt;</c>. They are the first tokens of the same chat
    /// with that turn in it.
    /// </summary>
    /// <exception cref="TinyLlmException">As <see cref="Encode"/>.</exception>
    public static int[] EncodePrompt(Tokenizer tokenizer, IReadOnlyList<ChatMessage> messages)
    {
        var ids = new List<int>();
        Encode(tokenizer, messages, ids, []);
        ids.Add(tokenizer.TurnStart);
        ids.AddRange(tokenizer.Encode(Assistant + "\n"));
        return [.. ids];
    }
}
