using System.Text;

namespace TinyLlm.Data;

/// <summary>One expansion of a grammar: its random numbers and its variables.</summary>
internal sealed class GrammarExpansion(Grammar grammar)
{
    // A rule that only ever leads back to itself would not end; real grammars nest a handful of levels.
    private const int MaxDepth = 50, MaxDraws = 1000;

    private readonly Dictionary<string, GrammarValue> variables = [];
    private string where = "";
    private int depth;

    /// <summary>The random numbers; drawing advances them.</summary>
    public SplitMix64 Random;

    /// <summary>Forgets the variables; <paramref name="document"/> is what messages name from here on.</summary>
    public void Begin(string document)
    {
        variables.Clear();
        depth = 0;
        where = document;
    }

    /// <summary>Sets a variable to a text.</summary>
    public void Set(string name, string text) => variables[name] = new GrammarValue(text);

    /// <summary>A variable's or a rule's text, as <c>{name}</c> gives it.</summary>
    public string Draw(string name) => Resolve(new ReferenceNode { Source = name }).Text;

    /// <summary>The text of one expansion.</summary>
    public string Expand(GrammarNode node)
    {
        var text = new StringBuilder();
        node.Append(text, this);
        return text.ToString();
    }

    /// <summary>The value that a reference stands for; binds its variable.</summary>
    public GrammarValue Resolve(ReferenceNode reference)
    {
        var value = DrawOnce(reference);
        for (int draws = 1; reference.Except.Length > 0 && Clashes(reference, value); draws++)
        {
            if (draws == MaxDraws)
            {
                throw Error($"\"{reference.Source}\" gave nothing but the text of "
                    + $"{string.Join(" or ", reference.Except)} in {MaxDraws} draws; give it more productions");
            }

            value = DrawOnce(reference);
        }
        if (reference.Bind is { } name)
            variables[name] = value;
        return value;
    }

    /// <summary>The attribute that a reference asks for.</summary>
    public string Attribute(ReferenceNode reference, GrammarValue value)
    {
        if (value.Attributes is not null && value.Attributes.TryGetValue(reference.Attribute!, out string? text))
            return text;

        throw Error($"{{{reference.Bind ?? reference.Source}.{reference.Attribute}}}: \"{value.Text}\" has no "
            + $"attribute \"{reference.Attribute}\"; add a column of that name");
    }

    // {name} repeats a variable where there is one; {name=rule} draws anew, though a variable may have the rule's name.
    private GrammarValue DrawOnce(ReferenceNode reference)
    {
        var rule = grammar.Rule(reference.Source);
        if (variables.TryGetValue(reference.Source, out var bound) && (rule is null || reference.Bind is null))
            return bound;

        if (rule is null)
            throw Error($"{{{reference.Source}}} is used before it is bound; bind it earlier");
        if (++depth > MaxDepth)
        {
            throw Error(
                $"{{{reference.Source}}} is more than {MaxDepth} levels deep; it leads back to itself without end");
        }

        var value = rule.Draw(this);
        depth--;
        return value;
    }

    private bool Clashes(ReferenceNode reference, GrammarValue value)
    {
        foreach (string name in reference.Except)
            if (!variables.TryGetValue(name, out var other))
                throw Error($"{{...!{name}}}: \"{name}\" is not bound yet; bind it earlier");
            else if (other.Text == value.Text)
                return true;
        return false;
    }

    private TinyLlmException Error(string message) => new($"{grammar.File}: in \"{where}\": {message}.");
}
