using System.Text;

namespace TinyLlm.Data;

/// <summary>A parsed template: appends its expansion to a text.</summary>
internal abstract class GrammarNode
{
    /// <summary>Appends one expansion.</summary>
    public abstract void Append(StringBuilder text, GrammarExpansion expansion);
}

/// <summary>Text as it stands.</summary>
internal sealed class LiteralNode(string literal) : GrammarNode
{
    public override void Append(StringBuilder text, GrammarExpansion expansion) => text.Append(literal);
}

/// <summary>Parts one after the other.</summary>
internal sealed class SequenceNode(GrammarNode[] parts) : GrammarNode
{
    public override void Append(StringBuilder text, GrammarExpansion expansion)
    {
        foreach (var part in parts)
            part.Append(text, expansion);
    }
}

/// <summary>Parts joined by one space; a part that expands to nothing takes its space with it.</summary>
internal sealed class StepsNode(GrammarNode[] steps) : GrammarNode
{
    public override void Append(StringBuilder text, GrammarExpansion expansion)
    {
        int start = text.Length;
        foreach (var step in steps)
        {
            int before = text.Length;
            if (before > start)
                text.Append(' ');
            int content = text.Length;
            step.Append(text, expansion);
            if (text.Length == content)
                text.Length = before;
        }
    }
}

/// <summary>One of several alternatives, by weight.</summary>
internal sealed class ChoiceNode(GrammarNode[] alternatives, int[] weights) : GrammarNode
{
    private readonly int total = weights.Sum();

    /// <summary>Draws one alternative.</summary>
    public GrammarNode Draw(GrammarExpansion expansion)
    {
        int ticket = expansion.Random.Below(total), i = 0;
        while (ticket >= weights[i])
            ticket -= weights[i++];
        return alternatives[i];
    }

    public override void Append(StringBuilder text, GrammarExpansion expansion) =>
        Draw(expansion).Append(text, expansion);
}

/// <summary>A reference: <c>{a name=source!x,y.attribute}</c> in its general form.</summary>
internal sealed class ReferenceNode : GrammarNode
{
    /// <summary>The rule or variable.</summary>
    public required string Source { get; init; }

    /// <summary>The variable to bind, or null.</summary>
    public string? Bind { get; init; }

    /// <summary>The attribute to write instead of the text, or null.</summary>
    public string? Attribute { get; init; }

    /// <summary>Variables whose texts the drawn one must differ from.</summary>
    public string[] Except { get; init; } = [];

    /// <summary>Whether "a" or "an" goes before it.</summary>
    public bool Article { get; init; }

    /// <summary>Whether the first letter becomes a capital.</summary>
    public bool Capital { get; init; }

    /// <summary>Whether this reference only names a value, so that the value's attributes can be handed on.</summary>
    public bool IsPlain => Bind is null && Attribute is null && !Article && !Capital;

    public override void Append(StringBuilder text, GrammarExpansion expansion)
    {
        var value = expansion.Resolve(this);
        string word = Attribute is null ? value.Text : expansion.Attribute(this, value);
        int start = text.Length;
        if (Article)
            text.Append(English.Article(word)).Append(' ');
        text.Append(word);
        if (Capital && text.Length > start)
            text[start] = char.ToUpperInvariant(text[start]);
    }
}

/// <summary>A named rule: draws one of its values.</summary>
internal abstract class GrammarRule
{
    /// <summary>Draws one value.</summary>
    public abstract GrammarValue Draw(GrammarExpansion expansion);
}

/// <summary>A rule that is a table: each row a value with attributes, all equally likely.</summary>
internal sealed class TableRule(GrammarValue[] rows) : GrammarRule
{
    public override GrammarValue Draw(GrammarExpansion expansion) => rows[expansion.Random.Below(rows.Length)];
}

/// <summary>A rule that is a list of productions.</summary>
internal sealed class ProductionRule(ChoiceNode productions) : GrammarRule
{
    public override GrammarValue Draw(GrammarExpansion expansion)
    {
        var production = productions.Draw(expansion);
        if (production is ReferenceNode { IsPlain: true } reference)
            return expansion.Resolve(reference);

        return new GrammarValue(expansion.Expand(production));
    }
}

/// <summary>The little English that a grammar needs.</summary>
internal static class English
{
    /// <summary>
    /// "an" before a vowel sound, else "a". The grammars' own words decide which exceptions are listed.
    /// </summary>
    public static string Article(string word)
    {
        if (word.StartsWith("honest", StringComparison.Ordinal) || word.StartsWith("hour", StringComparison.Ordinal))
            return "an";
        if (word.StartsWith("uni", StringComparison.Ordinal) || word.StartsWith("uku", StringComparison.Ordinal)
            || word.StartsWith("use", StringComparison.Ordinal) ||
            word.StartsWith("one", StringComparison.Ordinal))
            return "a";

        return word.Length > 0 && "aeiouAEIOU".Contains(word[0]) ? "an" : "a";
    }
}
