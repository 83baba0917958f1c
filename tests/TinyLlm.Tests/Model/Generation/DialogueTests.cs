using TinyLlm.Model;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class DialogueTests
{
    private static readonly ChatMessage System = new("system", "s");

    [Fact]
    public void Turns_AreAddedAndTakenBack()
    {
        var dialogue = new Dialogue();
        Assert.Null(dialogue.Last);
        Assert.False(dialogue.Undo());
        Assert.Throws<InvalidOperationException>(dialogue.AskAgain);
        Assert.Empty(dialogue.Messages);

        Add(dialogue, "q1", "a1");
        Add(dialogue, "q2", "a2");
        Assert.Equal(Chat("q1", "a1", "q2", "a2"), dialogue.Messages);
        Assert.Equal(Chat("q1", "a1", "q2", "a2", "q3"), dialogue.Ask("q3"));
        Assert.Equal(Chat("q1", "a1", "q2"), dialogue.AskAgain());
        Assert.Equal(("q2", "a2"), (dialogue.Last!.Question, dialogue.Last.Answer));
        Assert.Equal(Chat("q1", "a1", "q2"), dialogue.Last.Prompt);

        // The system speaks first; it is no turn.
        dialogue.System = "s";
        Assert.Equal([System, .. Chat("q1", "a1", "q2", "a2")], dialogue.Messages);
        Assert.Equal(Chat("q1", "a1", "q2", "a2", "q3"), dialogue.Ask("q3"));

        Assert.True(dialogue.Undo());
        Assert.Equal([System, .. Chat("q1", "a1")], dialogue.Messages);
        dialogue.Reset();
        Assert.Equal([System], dialogue.Messages);
        Assert.Null(dialogue.Last);
    }

    private static void Add(Dialogue dialogue, string question, string answer) =>
        dialogue.Add(new DialogueTurn(question, answer, dialogue.Ask(question)));

    private static ChatMessage[] Chat(params string[] texts) =>
        [.. texts.Select((text, i) => new ChatMessage(i % 2 == 0 ? "user" : "assistant", text))];
}
