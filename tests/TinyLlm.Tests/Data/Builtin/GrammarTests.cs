using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Data;

public class GrammarTests
{
    private const string Rules = """
        "rules": {
          "hero": { "columns": "text|food", "with": { "he": "she" }, "rows": ["owl|mice", "cat|fish"] },
          "who": ["{hero}"],
          "size": ["old", { "text": "big", "weight": 3 }],
          "loop": ["{loop}"]
        }
        """;

    [Theory]
    [InlineData("{x=who} {x} {x.food} {X.he}", "owl owl mice She", "cat cat fish She")]
    [InlineData("{a hero}", "an owl", "a cat")]
    [InlineData("{A hero}", "An owl", "A cat")]
    [InlineData("{Hero}", "Owl", "Cat")]
    [InlineData("[one|two [deep|down]|]x", "onex", "two deepx", "two downx", "x")]
    [InlineData("{x=hero} {y=hero!x}", "owl cat", "cat owl")]
    [InlineData("{a size} {x=hero}", "an old owl", "an old cat", "a big owl", "a big cat")]
    public void Expand_GivesEveryAlternative(string template, params string[] expected)
    {
        var seen = Expand($$"""{ {{Rules}}, "documents": { "d": { "text": "{{template}}" } } }""", 400);

        Assert.Equal(expected.Order(), seen.Order());
    }

    [Fact]
    public void Expand_Steps_AreJoinedByOneSpace()
    {
        var seen = Expand("""{ "documents": { "d": { "text": ["", "A.", ["B.", ""], "", "C."] } } }""", 50);

        Assert.Equal(["A. B. C.", "A. C."], seen.Order());
    }

    [Fact]
    public void Expand_BindingPrefersTheRule_RepeatingPrefersTheVariable()
    {
        var seen = Expand("""{ "rules": { "pet": ["Pip"], "kind": ["cat"] }, "documents": { "d": { "text": "{pet=kind} {name=pet} {pet}" } } }""", 5);

        Assert.Equal(["cat Pip cat"], seen);
    }

    [Fact]
    public void Expand_Weights_AreObeyed()
    {
        var grammar = Grammar.Parse($$"""{ {{Rules}}, "documents": { "d": { "text": "{size}" } } }""", "g.json");
        var expansion = new GrammarExpansion(grammar) { Random = new SplitMix64(1) };

        int big = Enumerable.Range(0, 10_000).Count(_ => expansion.Expand(grammar.Documents[0].Text!) == "big");

        // Binomial with p = 3/4: a deviation of five standard deviations is 217.
        Assert.InRange(big, 7500 - 217, 7500 + 217);
    }

    [Theory]
    [InlineData("{ \"rules\": ", "g.json: not valid JSON")]
    [InlineData("[]", "g.json: expected an object")]
    [InlineData("""{ "rules": { "r": ["{nobody}"] } }""", "g.json: rule \"r\": {nobody} is no rule and no variable")]
    [InlineData("""{ "rules": { "r": ["{x=r!y}"] } }""", "g.json: rule \"r\": \"!y\" names no variable")]
    [InlineData("""{ "rules": { "r": [] } }""", "g.json: rule \"r\": the list of productions is empty")]
    [InlineData("""{ "rules": { "r": "text" } }""", "g.json: rule \"r\": expected a list of productions or a table")]
    [InlineData("""{ "rules": { "r": [7] } }""", "g.json: rule \"r\": expected a string; got Number")]
    [InlineData("""{ "rules": { "r": [{ "weight": 2 }] } }""", "g.json: rule \"r\": a production object needs \"text\"")]
    [InlineData("""{ "rules": { "r": [{ "text": "x", "weight": 0 }] } }""", "g.json: rule \"r\": expected a whole number above 0; got 0")]
    [InlineData("""{ "rules": { "r": ["{r"] } }""", "g.json: rule \"r\": \"{r\": a \"{\" is not closed")]
    [InlineData("""{ "rules": { "r": ["r}"] } }""", "g.json: rule \"r\": \"r}\": \"}\" at 1 closes nothing")]
    [InlineData("""{ "rules": { "r": ["[a|b"] } }""", "g.json: rule \"r\": \"[a|b\": a \"[\" is not closed")]
    [InlineData("""{ "rules": { "r": ["{}"] } }""", "g.json: rule \"r\": \"{}\": {} is malformed")]
    [InlineData("""{ "rules": { "r": ["{=r}"] } }""", "g.json: rule \"r\": \"{=r}\": {=r} is malformed")]
    [InlineData("""{ "rules": { "r": { "columns": "text|b", "rows": ["x"] } } }""", "g.json: rule \"r\": row \"x\" has 1 cells; expected 2: text|b")]
    [InlineData("""{ "rules": { "r": { "rows": [] } } }""", "g.json: rule \"r\": a table needs \"rows\"")]
    [InlineData("""{ "rules": { "r": { "columns": "b", "rows": ["x"] } } }""", "g.json: rule \"r\": the first column must be \"text\"")]
    [InlineData("""{ "documents": { "d": { "asks": [["Why?"]] } } }""", "g.json: document \"d\": an ask has 1 texts")]
    public void Parse_Malformed_NamesFileAndRule(string json, string message)
    {
        var error = Assert.Throws<TinyLlmException>(() => Grammar.Parse(json, "g.json"));

        Assert.StartsWith(message, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("{hero.age}", "has no attribute \"age\"")]
    [InlineData("[|{x=hero}]{x}", "{x} is used before it is bound")]
    [InlineData("[|{x=hero}]{y=hero!x}", "\"x\" is not bound yet")]
    [InlineData("{x=hero}{y=hero!x}{z=hero!x,y}", "gave nothing but the text of x or y")]
    [InlineData("{loop} {size}", "leads back to itself")]
    public void Expand_CannotGoOn_NamesFileAndDocument(string template, string message)
    {
        var error = Assert.Throws<TinyLlmException>(() => Expand($$"""{ {{Rules}}, "documents": { "d": { "text": "{{template}}" } } }""", 100));

        Assert.StartsWith("g.json: in \"d\": ", error.Message);
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void SplitMix64_MatchesThePublishedSequence()
    {
        // The reference implementation's first outputs for the seed 1234567.
        var random = new SplitMix64(1234567);

        Assert.Equal(
            [6457827717110365317, 3203168211198807973, 9817491932198370423],
            new ulong[] { random.Next(), random.Next(), random.Next() });
    }

    private static HashSet<string> Expand(string json, int times)
    {
        var grammar = Grammar.Parse(json, "g.json");
        var expansion = new GrammarExpansion(grammar) { Random = new SplitMix64(7) };
        var seen = new HashSet<string>();
        for (int i = 0; i < times; i++)
        {
            expansion.Begin("d");
            seen.Add(expansion.Expand(grammar.Documents[0].Text!));
        }
        return seen;
    }
}
