using System.Text.RegularExpressions;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>The tokens of a PTX text, read one after the other; comments are gone.</summary>
internal sealed class PtxTokens
{
    // Words carry their dotted suffixes (ld.global.v4.f32, %tid.x); numbers are decimal, hexadecimal, or the bits of a
    // float (0f..., 0d...).
    private static readonly Regex Token = new(
        """//[^\n]*|/\*[\s\S]*?\*/|"[^"]*"|0[fF][0-9a-fA-F]{8}\b|0[dD][0-9a-fA-F]{16}\b|0[xX][0-9a-fA-F]+U?|\d+\.\d+(?:[eE][-+]?\d+)?|\d+U?|[.%]?[A-Za-z_$][\w$]*(?:(?:\.|::)[\w$]+)*|[^\s]""",
        RegexOptions.Compiled | RegexOptions.CultureInvariant);

    private readonly string text;
    private readonly List<(int Start, int Length, string Value)> tokens = [];
    private int place;

    public PtxTokens(string text)
    {
        this.text = text;
        foreach (Match match in Token.Matches(text))
        {
            if (!match.ValueSpan.StartsWith("//") && !match.ValueSpan.StartsWith("/*"))
                tokens.Add((match.Index, match.Length, match.Value));
        }
    }

    public bool AtEnd => place == tokens.Count;

    public string Next => AtEnd ? throw new PtxException("PTX: the text ends inside a statement.")
        : tokens[place].Value;

    /// <summary>The token after the next one; empty at the end.</summary>
    public string AfterNext => place + 1 < tokens.Count ? tokens[place + 1].Value : "";

    public int Place => place;

    public string Take()
    {
        string value = Next;
        place++;
        return value;
    }

    public bool TakeIf(string value)
    {
        if (AtEnd || tokens[place].Value != value)
            return false;
        place++;
        return true;
    }

    public void Expect(string value)
    {
        if (!TakeIf(value))
            throw Error($"expected '{value}'");
    }

    public int TakeInteger() => int.TryParse(Next, out int value) ? (place++, value).value
        : throw Error("expected a whole number");

    /// <summary>
    /// The text from one token up to, but without, the one that comes next; white space becomes single blanks.
    /// </summary>
    public string TextFrom(int first)
    {
        int start = tokens[first].Start, last = place - 1;
        return Regex.Replace(text[start..(tokens[last].Start + tokens[last].Length)], @"\s+", " ");
    }

    public PtxException Error(string what)
    {
        int start = AtEnd ? text.Length : tokens[place].Start;
        int line = text.AsSpan(0, start).Count('\n') + 1;
        return new PtxException($"PTX, line {line}: {what}, got '{(AtEnd ? "the end" : Next)}'.");
    }
}
