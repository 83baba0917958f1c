using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Data;

public partial class BuiltinStoriesTests
{
    private static readonly Dictionary<Split, List<Story>> Stories =
        Enum.GetValues<Split>()
        .ToDictionary(split => split, split => BuiltinStories.Generate(BuiltinData.LoadStories(), split));

    private static IEnumerable<string> All => Stories.Values.SelectMany(list => list).Select(story => story.Text);

    [Theory]
    [InlineData(Split.Train, "f7199f628ef99843")]
    [InlineData(Split.Validation, "14063272d5b1d1d6")]
    [InlineData(Split.Test, "085550bdc5bd0541")]
    public void Stories_AreTheSameBytesEverywhere(Split split, string sha256)
    {
        string text = string.Join('\n', BuiltinData.Stories(split));

        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16]);
    }

    [Fact]
    public void Splits_ShareNoKeyAndNoText()
    {
        foreach (var a in Enum.GetValues<Split>())
            foreach (var b in Enum.GetValues<Split>().Where(b => b > a))
            {
                Assert.Empty(Stories[a].Select(s => s.Key).Intersect(Stories[b].Select(s => s.Key)));
                Assert.Empty(Stories[a].Select(s => s.Text).Intersect(Stories[b].Select(s => s.Text)));
            }
    }

    [Fact]
    public void Key_IsInTheStory()
    {
        // The key's two choices must show, or the split would hold out something that cannot be seen.
        foreach (var story in Stories[Split.Validation].Concat(Stories[Split.Test]))
        {
            string[] choices = story.Key[(story.Key.IndexOf(": ", StringComparison.Ordinal) + 2)..].Split(" + ");
            int shown = choices.Count(choice => story.Text.Contains(choice, StringComparison.OrdinalIgnoreCase));

            Assert.Equal(2, choices.Length);
            Assert.True(shown >= 1, $"Key \"{story.Key}\" does not show in: {story.Text}");
        }
    }

    [Fact]
    public void HeldOutStories_UseAlmostOnlyWordsOfTheTrainingStories()
    {
        var known = Stories[Split.Train].SelectMany(s => Words(s.Text)).ToHashSet();
        string[] heldOut = [.. Stories[Split.Validation].Concat(Stories[Split.Test]).SelectMany(s => Words(s.Text))];

        Assert.InRange(heldOut.Count(word => !known.Contains(word)), 0, heldOut.Length / 10_000);
    }

    [Fact]
    public void EachPlot_HasItsShareOfEachSplit()
    {
        foreach (var stories in Stories.Values)
        {
            var plots = stories.GroupBy(s => s.Key[..s.Key.IndexOf(':')]).ToDictionary(g => g.Key, g => g.Count());

            Assert.InRange(plots.Count, 25, 100);
            Assert.All(plots, plot => Assert.InRange(plot.Value, 1, 3 * stories.Count / plots.Count));
        }
    }

    [Fact]
    public void Sizes_AreWhatIsPromised()
    {
        Assert.InRange(Stories[Split.Train].Sum(s => s.Text.Length), 4_000_000, 6_000_000);
        Assert.InRange(Stories[Split.Validation].Sum(s => s.Text.Length), 100_000, 250_000);
        Assert.InRange(Stories[Split.Test].Sum(s => s.Text.Length), 100_000, 250_000);
        Assert.Equal(Stories[Split.Train].Count, Stories[Split.Train].Select(s => s.Text).Distinct().Count());
        Assert.InRange(Stories[Split.Train].SelectMany(s => Words(s.Text)).Distinct().Count(), 1_200, 2_000);
    }

    [Fact]
    public void Text_IsCleanAscii()
    {
        foreach (string text in All)
        {
            Assert.True(text.All(c => c is >= ' ' and <= '~' and not ('{' or '}' or '[' or ']' or '|')), text);
            Assert.True(text.Trim() == text && !text.Contains("  "), text);
            Assert.True(text.Count(c => c == '"') % 2 == 0, $"Unbalanced quotes: {text}");
            Assert.False(DoubledWord().IsMatch(text), $"A doubled word: {text}");
        }
    }

    [Fact]
    public void Sentences_StartWithACapitalAndEndWithPunctuation()
    {
        foreach (string text in All)
        {
            Assert.Matches("""^"?[A-Z]""", text);
            Assert.Matches("""[.!?]"?$""", text);
            Assert.False(LowerStart().IsMatch(text), $"A sentence starts with a small letter: {text}");
            Assert.False(BadPunctuation().IsMatch(text), $"Bad punctuation: {text}");
        }
    }

    [Fact]
    public void Stories_AreShort()
    {
        double[] lengths = [.. Stories[Split.Train].Select(s => (double)SentenceEnd().Count(s.Text))];

        Assert.InRange(lengths.Average(), 8, 13);
        Assert.InRange(lengths.Min(), 5, 12);
    }

    [Fact]
    public void Articles_AgreeWithTheNextWord()
    {
        foreach (string text in All)
            foreach (Match match in ArticleAndWord().Matches(text))
            {
                string word = match.Groups[2].Value.ToLowerInvariant();
                bool vowel = "aeio".Contains(word[0]) || word.StartsWith("um") || word.StartsWith("un")
                    || word.StartsWith("up") || word is "honest" or "hour";
                bool an = match.Groups[1].Value is "an" or "An";

                Assert.True(an == (vowel && word != "one"), $"\"{match.Value}\" in: {text}");
            }
    }

    private static IEnumerable<string> Words(string text) =>
        Word().Matches(text.ToLowerInvariant()).Select(match => match.Value);

    [GeneratedRegex("[a-z]+")]
    private static partial Regex Word();

    [GeneratedRegex(@"\b([A-Za-z]+) \1\b")]
    private static partial Regex DoubledWord();

    // After a closing quote a small letter may go on with who speaks, but only after a question or a shout: "Why?"
    // asked Mia.
    [GeneratedRegex("""[.!?] "?[a-z]|\." [a-z]|[!?]" (?!([a-z]+ ){0,3}(said|asked|cried|shouted|called|thought|whispered|laughed)\b)[a-z]""")]
    private static partial Regex LowerStart();

    [GeneratedRegex("""[,.!?]{2}| [,.!?]|[,.!?][A-Za-z]|"[A-Za-z]+"[A-Za-z]""")]
    private static partial Regex BadPunctuation();

    [GeneratedRegex("""[.!?]"?(?= ["A-Z]|$)""")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"\b([Aa]n?) ([A-Za-z]+)")]
    private static partial Regex ArticleAndWord();
}
