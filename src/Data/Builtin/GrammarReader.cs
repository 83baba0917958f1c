using System.Text;
using System.Text.Json;

namespace TinyLlm.Data;

/// <summary>
/// Reads the JSON of a grammar into nodes; remembers references, so that they can be checked when all rules are known.
/// </summary>
internal sealed class GrammarReader(string file)
{
    private readonly List<(string Where, ReferenceNode Reference)> references = [];
    private readonly HashSet<string> bound = [];
    private string where = "";

    /// <summary>Reads the whole file.</summary>
    public void Read(JsonElement root, Dictionary<string, GrammarRule> rules, List<GrammarDocument> documents)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Error("expected an object with \"rules\" and \"documents\"");
        if (root.TryGetProperty("rules", out var ruleSet))
            foreach (var rule in Members(ruleSet, "rules"))
            {
                where = $"rule \"{rule.Name}\"";
                rules[rule.Name] = ReadRule(rule.Value);
            }
        if (root.TryGetProperty("documents", out var documentSet))
            foreach (var document in Members(documentSet, "documents"))
            {
                where = $"document \"{document.Name}\"";
                documents.Add(ReadDocument(document.Name, document.Value));
            }
    }

    /// <summary>Checks that each reference names a rule or a variable that is bound somewhere.</summary>
    public void CheckReferences(Dictionary<string, GrammarRule> rules)
    {
        foreach (var (place, reference) in references)
        {
            where = place;
            if (!rules.ContainsKey(reference.Source) && !bound.Contains(reference.Source))
                throw Error($"{{{reference.Source}}} is no rule and no variable; add the rule or bind the variable");
            foreach (string name in reference.Except)
                if (!bound.Contains(name))
                    throw Error($"\"!{name}\" names no variable; bind it");
        }
    }

    private GrammarRule ReadRule(JsonElement rule) => rule.ValueKind switch
    {
        JsonValueKind.Array => new ProductionRule(ReadChoice(rule)),
        JsonValueKind.Object => ReadTable(rule),
        _ => throw Error("expected a list of productions or a table"),
    };

    private TableRule ReadTable(JsonElement table)
    {
        string[] columns = table.TryGetProperty("columns", out var names) ? Text(names).Split('|') : ["text"];
        if (columns[0] != "text")
            throw Error("the first column must be \"text\"");
        if (!table.TryGetProperty("rows", out var rows) || rows.ValueKind != JsonValueKind.Array
            || rows.GetArrayLength() == 0)
            throw Error("a table needs \"rows\", a list of one or more");

        var values = new List<GrammarValue>();
        foreach (var row in rows.EnumerateArray())
        {
            string[] cells = Text(row).Split('|');
            if (cells.Length != columns.Length)
            {
                throw Error($"row \"{Text(row)}\" has {cells.Length} cells; expected {columns.Length}: "
                    + $"{string.Join('|', columns)}");
            }

            var attributes = new Dictionary<string, string>();
            if (table.TryGetProperty("with", out var with))
                foreach (var member in Members(with, "with"))
                    attributes[member.Name] = Text(member.Value);
            for (int i = 1; i < cells.Length; i++)
                attributes[columns[i]] = cells[i];
            values.Add(new GrammarValue(cells[0], attributes));
        }
        return new TableRule([.. values]);
    }

    private GrammarDocument ReadDocument(string name, JsonElement document)
    {
        string[] given = document.TryGetProperty("given", out var givens) ? Text(givens).Split(' ') : [];
        bound.UnionWith(given);
        return new GrammarDocument
        {
            Name = name,
            Given = given,
            Key = document.TryGetProperty("key", out var key) ? [.. List(key).Select(ReadProduction)] : [],
            Let = document.TryGetProperty("let", out var let) ? ReadProduction(let) : null,
            Text = document.TryGetProperty("text", out var text) ? ReadProduction(text) : null,
            Asks = document.TryGetProperty("asks", out var asks) ? [.. List(asks).Select(ReadAsk)] : [],
            TrainOnly = document.TryGetProperty("train_only", out var trainOnly)
            && trainOnly.ValueKind == JsonValueKind.True,
            Count = document.TryGetProperty("count", out var count) ? Number(count) : 0,
        };
    }

    private IReadOnlyList<GrammarNode> ReadAsk(JsonElement ask)
    {
        GrammarNode[] turns = [.. List(ask).Select(ReadProduction)];
        return turns.Length > 0 && turns.Length % 2 == 0 ? turns
            : throw Error($"an ask has {turns.Length} texts; expected question, answer, ...");
    }

    private ChoiceNode ReadChoice(JsonElement alternatives)
    {
        if (alternatives.GetArrayLength() == 0)
            throw Error("the list of productions is empty; expected one or more");

        var nodes = new List<GrammarNode>();
        var weights = new List<int>();
        foreach (var alternative in alternatives.EnumerateArray())
        {
            bool weighted = alternative.ValueKind == JsonValueKind.Object;
            if (weighted && !alternative.TryGetProperty("text", out _))
                throw Error("a production object needs \"text\"");
            nodes.Add(ReadProduction(weighted ? alternative.GetProperty("text") : alternative));
            weights.Add(weighted && alternative.TryGetProperty("weight", out var weight) ? Number(weight) : 1);
        }
        return new ChoiceNode([.. nodes], [.. weights]);
    }

    private GrammarNode ReadProduction(JsonElement production)
    {
        if (production.ValueKind != JsonValueKind.Array)
            return ReadTemplate(Text(production));

        return new StepsNode(
            [.. production.EnumerateArray()
            .Select(step => step.ValueKind == JsonValueKind.Array ? ReadChoice(step) : ReadProduction(step))]);
    }

    private GrammarNode ReadTemplate(string template)
    {
        int at = 0;
        var node = ReadSequence(template, ref at, nested: false);
        return at == template.Length ? node : throw Error($"\"{template}\": \"{template[at]}\" at {at} closes nothing");
    }

    // Reads up to the end, or inside a choice up to "|" or "]", which is left for the caller.
    private GrammarNode ReadSequence(string template, ref int at, bool nested)
    {
        var parts = new List<GrammarNode>();
        var literal = new StringBuilder();
        while (at < template.Length && !(template[at] is ']' or '}') && !(nested && template[at] == '|'))
        {
            if (template[at] is not ('{' or '['))
            {
                literal.Append(template[at++]);
                continue;
            }
            if (literal.Length > 0)
                parts.Add(new LiteralNode(literal.ToString()));
            literal.Clear();
            parts.Add(template[at] == '{' ? ReadReference(template, ref at) : ReadInlineChoice(template, ref at));
        }
        if (literal.Length > 0)
            parts.Add(new LiteralNode(literal.ToString()));
        return parts.Count == 1 ? parts[0] : new SequenceNode([.. parts]);
    }

    private ChoiceNode ReadInlineChoice(string template, ref int at)
    {
        var alternatives = new List<GrammarNode>();
        do
        {
            at++;
            alternatives.Add(ReadSequence(template, ref at, nested: true));
        }
        while (at < template.Length && template[at] == '|');
        if (at == template.Length || template[at] != ']')
            throw Error($"\"{template}\": a \"[\" is not closed by \"]\"");
        at++;
        return new ChoiceNode([.. alternatives], [.. Enumerable.Repeat(1, alternatives.Count)]);
    }

    private ReferenceNode ReadReference(string template, ref int at)
    {
        int end = template.IndexOf('}', at);
        if (end < 0)
            throw Error($"\"{template}\": a \"{{\" is not closed by \"}}\"");
        string body = template[(at + 1)..end];
        at = end + 1;

        bool article = body.StartsWith("a ", StringComparison.Ordinal)
            || body.StartsWith("A ", StringComparison.Ordinal);
        bool capital = body.Length > 0 && char.IsAsciiLetterUpper(body[0]);
        string[] exceptions = article ? body[2..].Split('!', 2) : body.Split('!', 2);
        string[] binding = exceptions[0].Split('=', 2);
        string[] path = binding[^1].Split('.', 2);
        if (!article && capital)
            (binding[0], path[0]) = (Lower(binding[0]), binding.Length == 1 ? Lower(path[0]) : path[0]);
        var reference = new ReferenceNode
        {
            Source = path[0],
            Attribute = path.Length == 2 ? path[1] : null,
            Bind = binding.Length == 2 ? binding[0] : null,
            Except = exceptions.Length == 2 ? exceptions[1].Split(',') : [],
            Article = article,
            Capital = capital,
        };
        if (!IsName(reference.Source) || !(reference.Bind is null || IsName(reference.Bind))
            || !(reference.Attribute is null || IsName(reference.Attribute)))
        {
            throw Error($"\"{template}\": {{{body}}} is malformed; expected {{name}}, {{name.attribute}}, "
                + $"{{variable=name}} or {{variable=name!other}}");
        }

        if (reference.Bind is { } name)
            bound.Add(name);
        references.Add((where, reference));
        return reference;
    }

    private static string Lower(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    private static bool IsName(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_');

    private static IEnumerable<JsonElement> List(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : [element];

    private JsonElement.ObjectEnumerator Members(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object ? element.EnumerateObject()
        : throw Error($"\"{name}\" must be an object");

    private string Text(JsonElement element) =>
        element.ValueKind == JsonValueKind.String ? element.GetString()!
        : throw Error($"expected a string; got {element.ValueKind}");

    private int Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int n) && n > 0 ? n
        : throw Error($"expected a whole number above 0; got {element.GetRawText()}");

    private TinyLlmException Error(string message) =>
        new(where.Length > 0 ? $"{file}: {where}: {message}." : $"{file}: {message}.");
}
