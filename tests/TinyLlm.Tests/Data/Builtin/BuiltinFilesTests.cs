using System.Text;
using TinyLlm.Data;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data;

/// <summary>What lies in data/ is what the generator makes.</summary>
public class BuiltinFilesTests
{
    [Fact]
    public void StoriesSample_IsTheStartOfTheTrainingStories()
    {
        string expected = string.Concat(BuiltinData.Stories(Split.Train).Take(20).Select(story => story + "\n"));

        Assert.Equal(expected, File.ReadAllText(DataFile("stories.sample.txt")));
    }

    [Fact]
    public void QuestionsSample_IsTheStartOfTheTrainingChats()
    {
        var expected = new StringWriter();
        BuiltinData.WriteQuestions(expected, BuiltinData.Questions(Split.Train).Take(50));

        Assert.Equal(expected.ToString(), File.ReadAllText(DataFile("questions.sample.jsonl")));
    }

    [Theory]
    [InlineData(Split.Train)]
    [InlineData(Split.Validation)]
    [InlineData(Split.Test)]
    public void Readme_HasTheSizes(Split split)
    {
        string readme = File.ReadAllText(DataFile("README.md"));
        var stories = BuiltinData.Stories(split);
        var chats = BuiltinData.Questions(split);
        int chatBytes = chats.SelectMany(chat => chat.Turns)
            .Sum(turn => Encoding.UTF8.GetByteCount(turn.Question) + Encoding.UTF8.GetByteCount(turn.Answer));

        Assert.Contains($"| `stories` | {split.ToString().ToLowerInvariant()} | {stories.Count:N0} | "
            + $"{stories.Sum(Encoding.UTF8.GetByteCount):N0} |\n", readme);
        Assert.Contains(
            $"| `questions` | {split.ToString().ToLowerInvariant()} | {chats.Count:N0} | {chatBytes:N0} |\n", readme);
    }

    [Fact]
    public void Names_AreTheCorpora() => Assert.Equal(["stories", "questions"], BuiltinData.Names);

    private static string DataFile(string name) => Path.Combine(Repository.Root!, "data", name);
}
