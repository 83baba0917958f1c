using System.Text.Json;

namespace TinyLlm.Data;

/// <summary>
/// A text grammar read from JSON: named rules, each a list of productions, and named documents made of them. Expansion
/// is a pure function of the grammar and a seed.
/// </summary>
/// <remarks>
/// A file is <c>{"rules": {...}, "documents": {...}}</c>. A rule is one of
/// <list type="bullet">
/// <item>a list of productions: strings, <c>{"text": ..., "weight": n}</c>, or step lists;</item>
/// <item>a table: <c>{"columns": "text|food", "with": {"he": "she"}, "rows": ["rabbit|carrots", ...]}</c>, whose rows
/// carry attributes.</item>
/// </list>
/// A step list is a list whose elements are a production or a list of alternatives; the steps are joined by one space,
/// empty ones left out. In a production's text:
/// <list type="bullet">
/// <item><c>{rule}</c> expands a rule, and <c>{name}</c> repeats a variable, which comes before a rule of the same
/// name;</item>
/// <item><c>{name=rule}</c> expands a rule anew and binds it to a variable; <c>{name=rule!a,b}</c> draws again until it
/// differs from the variables a and b;</item>
/// <item><c>{name.attribute}</c> is an attribute of the row that a variable holds (a pronoun, a plural);</item>
/// <item><c>{Name}</c>, with a capital letter, capitalises the result; <c>{a name}</c> and <c>{A name}</c> put "a" or
/// "an" before it;</item>
/// <item><c>[one|two|]</c> is a choice in place, and may nest.</item>
/// </list>
/// A production that is one reference alone hands on the attributes of what it refers to.
/// </remarks>
internal sealed class Grammar
{
    private readonly Dictionary<string, GrammarRule> rules;
    private readonly List<GrammarDocument> documents = [];

    private Grammar(string file, Grammar? shared)
    {
        File = file;
        rules = shared is null ? [] : new(shared.rules);
    }

    /// <summary>The file's name, as messages call it.</summary>
    public string File { get; }

    /// <summary>The documents, in the order of the file.</summary>
    public IReadOnlyList<GrammarDocument> Documents => documents;

    /// <summary>Reads a grammar; with <paramref name="shared"/>, that grammar's rules can be used too.</summary>
    /// <exception cref="TinyLlmException">The JSON or a template is malformed, or a reference names no rule and no
    /// variable.</exception>
    public static Grammar Parse(string json, string file, Grammar? shared = null)
    {
        var grammar = new Grammar(file, shared);
        var reader = new GrammarReader(file);
        try
        {
            using var root = JsonDocument.Parse(json);
            reader.Read(root.RootElement, grammar.rules, grammar.documents);
        }
        catch (JsonException error)
        {
            throw new TinyLlmException($"{file}: not valid JSON: {error.Message}", error);
        }
        reader.CheckReferences(grammar.rules);
        return grammar;
    }

    /// <summary>The rule of that name, or null.</summary>
    public GrammarRule? Rule(string name) => rules.GetValueOrDefault(name);
}

/// <summary>
/// What a rule or a variable stands for: a text, and the attributes of the table row that it came from.
/// </summary>
internal sealed record GrammarValue(string Text, IReadOnlyDictionary<string, string>? Attributes = null);

/// <summary>A document of a grammar: what is drawn first (the key), then the other variables, then the texts.</summary>
internal sealed class GrammarDocument
{
    /// <summary>The document's name: the plot of a story, the family of a question.</summary>
    public required string Name { get; init; }

    /// <summary>The key's parts, expanded in this order; empty where the caller makes the key.</summary>
    public required IReadOnlyList<GrammarNode> Key { get; init; }

    /// <summary>Expanded after the key for the variables that it binds; its text is dropped.</summary>
    public required GrammarNode? Let { get; init; }

    /// <summary>The story, or what a question is asked about.</summary>
    public required GrammarNode? Text { get; init; }

    /// <summary>Alternatives of question, answer, question, answer, ...</summary>
    public required IReadOnlyList<IReadOnlyList<GrammarNode>> Asks { get; init; }

    /// <summary>Whether the document is for the training split alone.</summary>
    public required bool TrainOnly { get; init; }

    /// <summary>How many to make for the training split; 0 where the caller decides.</summary>
    public required int Count { get; init; }

    /// <summary>Variables that the caller sets before the expansion.</summary>
    public required IReadOnlyList<string> Given { get; init; }
}
