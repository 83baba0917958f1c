using System.Text;

namespace TinyLlm.Kernels.Gpu;

/// <summary>PTX text in the making.</summary>
internal sealed class PtxLines
{
    private readonly StringBuilder text = new();

    /// <summary>Appends an instruction or a declaration, without its semicolon.</summary>
    public PtxLines Add(string instruction)
    {
        text.Append(instruction).Append(";\n\t");
        return this;
    }

    /// <summary>Starts a scope: what is declared in it is unknown outside.</summary>
    public PtxLines Open()
    {
        text.Append("{\n\t");
        return this;
    }

    /// <summary>Ends it.</summary>
    public PtxLines Close()
    {
        text.Append("}\n\t");
        return this;
    }

    /// <summary>Appends what <paramref name="instruction"/> gives for 0 to <paramref name="count"/> - 1.</summary>
    public PtxLines AddEach(int count, Func<int, string> instruction)
    {
        for (int i = 0; i < count; i++)
            Add(instruction(i));
        return this;
    }

    /// <summary>The vector {name4, name5, ...} of <paramref name="count"/> registers.</summary>
    public static string Vector(string name, int first, int count) =>
        $"{{{string.Join(", ", Enumerable.Range(first, count).Select(i => $"{name}{i}"))}}}";

    /// <summary>Puts the text to the others (<see cref="PtxText"/>) and gives its number.</summary>
    public int ToText() => PtxText.Add(text.ToString());
}
