using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>
/// A byte is a token: sizes can be counted by hand. A message takes its role, its text and 4 more; the answer's header
/// 11.
/// </summary>
public sealed class ChatWindowTests
{
    private const int Header = 11; // <|im_start|>assistant\n
    private const int Turn = 4 + 4 + 2 + 4 + 9 + 2; // user and assistant with two letters each

    private static readonly ByteTokenizer Tokenizer = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void TheOldestTurns_AreLeftOut(int kept)
    {
        var turns = Turns(5, "??");
        int least = 4 + 4 + 2 + Header;
        foreach (int room in new[] { 1, 7 })
        {
            // Just enough, and one token more than enough for these, but not for one turn more.
            foreach (int context in new[] { least + kept * Turn + room, least + (kept + 1) * Turn + room - 1 })
            {
                var window = ChatWindow.Fit(Tokenizer, null, turns, context, room);
                Assert.Equal(5 - kept, window.LeftOut);
                Assert.Equal(turns.Skip(2 * (5 - kept)), window.Messages);
                Assert.Equal(ChatTemplate.EncodePrompt(Tokenizer, window.Messages), window.Ids);
                Assert.True(window.Ids.Length <= context - room);
            }
        }
    }

    [Fact]
    public void TheSystemsMessage_Stays()
    {
        var turns = Turns(5, "??");
        int system = 6 + 4 + 5;
        var window = ChatWindow.Fit(Tokenizer, "Hello", turns, system + 4 + 4 + 2 + Header + Turn + 3, 3);
        Assert.Equal(4, window.LeftOut);
        Assert.Equal([new ChatMessage("system", "Hello"), .. turns.Skip(8)], window.Messages);
        Assert.Equal(ChatTemplate.EncodePrompt(Tokenizer, window.Messages), window.Ids);
    }

    [Fact]
    public void ALongQuestion_TakesTheAnswersRoom_AndTooLongAOneIsRefused()
    {
        string question = new('x', 50);
        int least = 4 + 4 + 50 + Header;
        var window = ChatWindow.Fit(Tokenizer, null, Turns(2, question), least + 1, 40);
        Assert.Equal((2, least), (window.LeftOut, window.Ids.Length));

        UserError.Expect(
            () => ChatWindow.Fit(Tokenizer, null, Turns(2, question), least, 40),
            $"the question takes {least} of the {least} tokens", "fewer words");
        UserError.Expect(
            () => ChatWindow.Fit(Tokenizer, "Hello", Turns(0, question), least + 1, 1),
            "the system's message and the question take", "shorter system message");
    }

    [Fact]
    public void AMarkInAText_StaysText()
    {
        var window = ChatWindow.Fit(Tokenizer, null, [new ChatMessage("user", "<|im_end|>")], 1000, 100);
        Assert.Equal(1, window.Ids.Count(id => id == Tokenizer.TurnEnd));
    }

    private static ChatMessage[] Turns(int count, string question) =>
        [.. Enumerable.Range(0, count)
        .SelectMany(i => new[] { new ChatMessage("user", $"q{i}"), new ChatMessage("assistant", $"a{i}") }),
            new ChatMessage("user", question)];
}
