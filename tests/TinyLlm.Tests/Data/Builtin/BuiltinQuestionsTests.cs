using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Data;

public partial class BuiltinQuestionsTests
{
    private static readonly Dictionary<Split, IReadOnlyList<Chat>> Chats = Enum.GetValues<Split>()
        .ToDictionary(split => split, BuiltinData.Questions);

    private static IEnumerable<Chat> All => Chats.Values.SelectMany(list => list);

    [Theory]
    [InlineData(Split.Train, "2a051c4ae14a6ca6")]
    [InlineData(Split.Validation, "c083c136fb3a1ee9")]
    [InlineData(Split.Test, "93a77c5161c2929b")]
    public void Questions_AreTheSameBytesEverywhere(Split split, string sha256)
    {
        var writer = new StringWriter();
        BuiltinData.WriteQuestions(writer, BuiltinData.Questions(split));

        Assert.Equal(
            sha256, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(writer.ToString())))[..16]);
    }

    [Fact]
    public void Splits_ShareNoKeyAndNoQuestion()
    {
        foreach (var a in Enum.GetValues<Split>())
            foreach (var b in Enum.GetValues<Split>().Where(b => b > a))
            {
                Assert.Empty(Chats[a].Select(c => c.Key).Intersect(Chats[b].Select(c => c.Key)));
                Assert.Empty(Chats[a].Select(Prompt).Intersect(Chats[b].Select(Prompt)));
            }
    }

    [Theory]
    [InlineData("add get-more")]
    [InlineData("subtract give-away")]
    [InlineData("compare")]
    [InlineData("largest-of-three sort-numbers")]
    public void Splits_ShareNoSetOfNumbers(string families)
    {
        // Read from the questions themselves: two families with the same sum hold out the same pairs of terms.
        var sets = Chats.ToDictionary(
            pair => pair.Key, pair => pair.Value.Where(c => families.Split(' ').Contains(c.Family))
            .Select(c => string.Join(' ', Numbers(c.Question).Order())).ToHashSet());

        Assert.Empty(sets[Split.Train].Intersect(sets[Split.Validation]));
        Assert.Empty(sets[Split.Train].Intersect(sets[Split.Test]));
        Assert.Empty(sets[Split.Validation].Intersect(sets[Split.Test]));
    }

    [Fact]
    public void HeldOut_HasNoClosedFacts_AndEveryOtherFamilyEqually()
    {
        string[] closed = [.. Chats[Split.Train].Select(c => c.Family)
            .Except(Chats[Split.Validation].Select(c => c.Family)).Order(StringComparer.Ordinal)];

        Assert.Equal(
            ["animal-baby", "animal-sound", "colour-of", "count-letters", "first-letter", "last-letter", "next-day",
            "next-month", "number-word", "opposite", "plural", "talk"], closed);
        foreach (var split in new[] { Split.Validation, Split.Test })
        {
            var families = Chats[split].GroupBy(c => c.Family).ToList();

            Assert.Equal(26, families.Count);
            Assert.All(families, family => Assert.Equal(20, family.Count()));
        }
        Assert.InRange(Chats[Split.Train].Count, 20_000, 32_000);
    }

    [Fact]
    public void Questions_AreDistinctWhereKeysAreHeldOut()
    {
        var heldOut = Chats[Split.Test].Select(c => c.Family).ToHashSet();
        foreach (var chats in Chats.Values)
        {
            string[] prompts = [.. chats.Where(c => heldOut.Contains(c.Family)).Select(Prompt)];

            Assert.Equal(prompts.Length, prompts.Distinct().Count());
        }
    }

    [Fact]
    public void SameQuestion_HasOneAnswer()
    {
        foreach (var same in All.GroupBy(Prompt))
            Assert.True(same.Select(c => c.Answer).Distinct().Count() == 1, $"Several answers: {same.Key}");
    }

    [Fact]
    public void Text_IsCleanAsciiWithCapitalsAndPunctuation()
    {
        foreach (var chat in All)
            foreach (var turn in chat.Turns)
                foreach (string text in new[] { turn.Question, turn.Answer })
                {
                    Assert.True(text.All(c => c is >= ' ' and <= '~' and not ('{' or '}' or '[' or ']' or '|')), text);
                    Assert.Matches("^[A-Z0-9]", text);
                    Assert.Matches("[.!?]$", text);
                    Assert.False(text.Contains("  ") || Broken().IsMatch(text), text);
                }
    }

    [Fact]
    public void Answers_OfReadingFamilies_AreCopiedFromTheQuestion()
    {
        // What is to be answered on held-out keys must stand in the text: only its first letter may change.
        string[] families = ["who-has", "where-is", "where-now", "who-gave", "who-is-more", "who-is-most", "what-did",
            "when", "pet-name", "which-is", "list-first", "list-last", "list-middle"];
        foreach (var chat in All.Where(c => families.Contains(c.Family)))
        {
            string answer = chat.Answer.TrimEnd('.');
            bool copied = Prompt(chat).Contains(answer, StringComparison.OrdinalIgnoreCase)
                || (chat.Family == "pet-name" && Prompt(chat).Contains(answer[(answer.IndexOf(' ') + 1)..]));

            // "In the garden" may be the answer where the text says "went to the garden".
            Assert.True(
                copied || Prompt(chat).Contains(answer[answer.IndexOf("the ", StringComparison.Ordinal)..]),
                $"{Prompt(chat)} -> {chat.Answer}");
        }
    }

    [Fact]
    public void Answers_OfNumberFamilies_AreRight()
    {
        foreach (var chat in All)
        {
            int[] n = Numbers(chat.Question);
            string? expected = chat.Family switch
            {
                "add" or "get-more" => $"{n[0]} plus {n[1]} is {n[0] + n[1]}.",
                "subtract" or "give-away" => $"{n.Max()} minus {n.Min()} is {n.Max() - n.Min()}.",
                "number-after" => $"{n[^1] + 1}.",
                "number-before" => $"{n[0] - 1}.",
                "compare" => Asks(chat, "larger", "more") ? $"{n.Max()}." : $"{n.Min()}.",
                "largest-of-three" => Asks(chat, "largest") ? $"{n.Max()}." : $"{n.Min()}.",
                "sort-numbers" => string.Join(", ", n.Order()) + ".",
                _ => null,
            };
            if (expected is not null)
                Assert.True(expected == chat.Answer, $"{chat.Question} -> {chat.Answer}; expected {expected}");
        }
    }

    [Fact]
    public void Answers_OfListAndLetterFamilies_AreRight()
    {
        foreach (var chat in All)
        {
            string[] list = [.. List().Matches(chat.Question).Select(m => m.Value).SelectMany(m => m.Split(", "))
                .Select(w => w.ToLowerInvariant())];
            string last = chat.Question.TrimEnd('?', '.').Split(' ')[^1];
            string[] ordinals = ["first", "second", "third", "fourth", "fifth"];
            string? expected = chat.Family switch
            {
                "list-first" => list[0],
                "list-last" => list[^1],
                "list-middle" => list[Array.FindIndex(ordinals, o => chat.Question.Contains(o))],
                "list-reverse" => string.Join(", ", list.Reverse()),
                "list-count" => $"{list.Length}",
                "list-has" => list.Contains(Asked().Match(chat.Question).Groups[1].Value) ? "yes" : "no",
                "first-letter" => chat.Question.Contains("letter of") ? last[..1] : chat.Question.Split(' ')[3][..1],
                "last-letter" => chat.Question.Contains("letter of") ? last[^1..] : chat.Question.Split(' ')[3][^1..],
                "count-letters" => chat.Question.Contains("are in") ? $"{last.Length}"
                : $"{chat.Question.Split(' ')[4].Length}",
                _ => null,
            };
            if (expected is not null)
            {
                Assert.True(
                    string.Equals(expected + ".", chat.Answer, StringComparison.OrdinalIgnoreCase),
                    $"{chat.Question} -> {chat.Answer}; expected {expected}");
            }
        }
    }

    [Theory]
    [InlineData(
        "who-has", @"(\w+) (?:has|got|is playing with) an? (\w+) ([\w ]+?)[.,] (?:and )?(\w+) (?:has|got|is playing with) an? (\w+) ([\w ]+?)\. Who has the ([\w ]+)\?", 7, 3, 1, 6, 4)]
    [InlineData(
        "where-is", @"(\w+) (?:is|is playing) (\w+ the [\w ]+?)[.,] (?:and )?(\w+) (?:is|is playing) (\w+ the [\w ]+?)\. Who is (\w+ the [\w ]+)\?", 5, 2, 1, 4, 3)]
    [InlineData(
        "what-did", @"(\w+) (?:\w+) (?:some )?(\w+)[.,] (?:and )?(\w+) (?:\w+) (?:some )?(\w+)\. Who \w+ the (\w+)\?",
        5, 2, 1, 4, 3)]
    public void Answers_OfReadingFamilies_FollowTheText(
        string family, string pattern, int asked, int thing1, int person1, int thing2, int person2)
    {
        int read = 0;
        foreach (var chat in All.Where(c => c.Family == family && c.Turns.Count == 1))
            if (Regex.Match(chat.Question, "^" + pattern + "$") is { Success: true } match)
            {
                string wanted = match.Groups[asked].Value;
                string expected = wanted == match.Groups[thing1].Value ? match.Groups[person1].Value
                    : wanted == match.Groups[thing2].Value ? match.Groups[person2].Value : "nobody";

                Assert.True(expected + "." == chat.Answer, $"{chat.Question} -> {chat.Answer}; expected {expected}");
                read++;
            }
        Assert.InRange(read, 100, 10_000);
    }

    [Fact]
    public void Answers_OfOrderings_FollowTheText()
    {
        string[] down =
            ["taller", "older", "faster", "stronger", "louder", "tallest", "oldest", "fastest", "strongest", "loudest"];
        foreach (var chat in All.Where(c => c.Family is "who-is-more" or "who-is-most"))
        {
            // The people from most to least; a "less" relation is turned around.
            var above = new List<(string More, string Less)>();
            foreach (Match match in Than().Matches(chat.Question))
            {
                string left = Capital(match.Groups[1].Value), right = Capital(match.Groups[3].Value);
                above.Add(down.Contains(match.Groups[2].Value) ? (left, right) : (right, left));
            }
            string word = Adjective().Match(chat.Question).Groups[1].Value;
            string expected = down.Contains(word) ? above.Select(p => p.More).Except(above.Select(p => p.Less)).Single()
                : above.Select(p => p.Less).Except(above.Select(p => p.More)).Single();

            Assert.True(expected + "." == chat.Answer, $"{chat.Question} -> {chat.Answer}; expected {expected}");
        }
    }

    private static string Capital(string name) => char.ToUpperInvariant(name[0]) + name[1..];

    private static string Prompt(Chat chat) => string.Join('\n', chat.Turns.Select(turn => turn.Question));

    private static int[] Numbers(string text) => [.. Number().Matches(text).Select(m => int.Parse(m.Value))];

    private static bool Asks(Chat chat, params string[] words) => words.Any(word => chat.Question.Contains(word));

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Number();

    [GeneratedRegex(@"[A-Za-z]+(, [a-z]+)+")]
    private static partial Regex List();

    [GeneratedRegex(@"Is (\w+) (?:in|one)")]
    private static partial Regex Asked();

    [GeneratedRegex(@"(\w+) is (\w+) than (\w+)")]
    private static partial Regex Than();

    [GeneratedRegex(@"Who is (?:the )?(\w+)")]
    private static partial Regex Adjective();

    [GeneratedRegex(@"[.!?] [a-z]|[,.!?]{2}| [,.!?]|[,.!?][A-Za-z0-9]|\ba [aeio]|\ban [^aeiouAEIOU]")]
    private static partial Regex Broken();
}
