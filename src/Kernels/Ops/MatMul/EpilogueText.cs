namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of what follows a product: a lane has <see cref="Rows"/> rows of 8 neighbouring sums in the registers e0 to
/// e31, applies bias, GELU and the like, and stores them rounded. Loads come first, all rows' together, so that their
/// times overlap.
/// </summary>
internal static class EpilogueText
{
    /// <summary>Rows that a lane has at a time.</summary>
    public const int Rows = 4;

    /// <summary>Columns that a lane has.</summary>
    public const int Columns = 8;

    private const int Count = Rows * Columns;

    private static readonly string one = Literal(1);
    private static readonly string geluTwice = Literal(2 * 0.7978845608f); // 2 sqrt(2 / pi)
    private static readonly string geluCubic = Literal(0.044715f);
    private static readonly string geluCubicThrice = Literal(3 * 0.044715f);
    private static readonly string minusLog2E = Literal(-1.442695041f);

    /// <summary>
    /// Declares: e, the sums; part, addend and pre, what is read; the addresses of the first row in C and the others,
    /// and the steps between rows; left, how many rows there are from the first on, and rowStep.
    /// </summary>
    public static readonly int Declare = new PtxLines()
        .Add($".reg .f32 e<{Count}>, part<{Count}>, bias<{Columns}>, x, u, s, t")
        .Add($".reg .b32 addend<{Count}>, pre<{Count / 2}>, packed<4>, left, rowStep")
        .Add(".reg .b64 toC, toAddend, toPre, toPart, stepC, stepPre, stepPart, to")
        .Add($".reg .pred row<{Rows}>")
        .ToText();

    /// <summary>Decides which of the rows are within C.</summary>
    public static readonly int FindRows = new PtxLines()
        .AddEach(Rows, i => $"setp.gt.s32 row{i}, left, 0;\n\tsub.s32 left, left, rowStep").ToText();

    /// <summary>Bias of zero.</summary>
    public static readonly int ClearBias = new PtxLines().AddEach(Columns, i => $"mov.f32 bias{i}, 0f00000000")
        .ToText();

    /// <summary>Reads the bias of the lane's columns, from the address <c>to</c>.</summary>
    public static readonly int ReadBias = new PtxLines()
        .Add("ld.global.v4.f32 {bias0, bias1, bias2, bias3}, [to]")
        .Add("ld.global.v4.f32 {bias4, bias5, bias6, bias7}, [to+16]")
        .ToText();

    /// <summary>Adds the bias.</summary>
    public static readonly int AddBias = new PtxLines().AddEach(Count, i => $"add.f32 e{i}, e{i}, bias{i % Columns}")
        .ToText();

    /// <summary>e = 0.</summary>
    public static readonly int Clear = new PtxLines().AddEach(Count, i => $"mov.f32 e{i}, 0f00000000").ToText();

    /// <summary>Adds sums of single precision from global memory: what a part of the depth gave.</summary>
    public static readonly int AddPart = EachRow("toPart", "stepPart", (lines, row) => LoadF32(lines, "part", row))
        .AddEach(Count, i => $"add.f32 e{i}, e{i}, part{i}").ToText();

    /// <summary>Reads pre-activations, bf16.</summary>
    public static readonly int ReadPre = EachRow("toPre", "stepPre", (lines, row) => LoadBf16(lines, "pre", row))
        .ToText();

    /// <summary>Reads addends, bf16.</summary>
    public static readonly int ReadAddendBf16 =
        EachRow("toAddend", "stepC", (lines, row) => LoadBf16(lines, "addend", row)).ToText();

    /// <summary>Reads addends, single precision.</summary>
    public static readonly int ReadAddendF32 =
        EachRow("toAddend", "stepC", (lines, row) => LoadF32(lines, "addend", row)).ToText();

    /// <summary>Adds addends, bf16.</summary>
    public static readonly int AddBf16 = new PtxLines()
        .AddEach(Count, i => $"{Unpack("x", "addend", i)};\n\tadd.f32 e{i}, e{i}, x").ToText();

    /// <summary>Adds addends, single precision.</summary>
    public static readonly int AddF32 = new PtxLines()
        .AddEach(Count, i => $"mov.b32 x, addend{i};\n\tadd.f32 e{i}, e{i}, x").ToText();

    /// <summary>Stores the sums as pre-activations, bf16.</summary>
    public static readonly int WritePre = EachRow("toPre", "stepPre", StoreBf16).ToText();

    /// <summary>e = GELU(e).</summary>
    public static readonly int Gelu = new PtxLines()
        .AddEach(Count, i => $"{Sigmoid($"e{i}")};\n\tmul.f32 e{i}, e{i}, s").ToText();

    /// <summary>e = e GELU'(pre).</summary>
    public static readonly int MultiplyGeluSlope = new PtxLines()
        .AddEach(Count, i => $"{Unpack("x", "pre", i)};\n\t{Slope("x", "u")};\n\tmul.f32 e{i}, e{i}, u").ToText();

    /// <summary>Stores C, bf16.</summary>
    public static readonly int WriteBf16 = EachRow("toC", "stepC", StoreBf16).ToText();

    /// <summary>Stores C, single precision.</summary>
    public static readonly int WriteF32 = EachRow("toC", "stepC", StoreF32).ToText();

    /// <summary>Turns to the next rows.</summary>
    public static readonly int NextRows = new PtxLines()
        .AddEach(Rows, _ => "add.s64 toC, toC, stepC;\n\tadd.s64 toAddend, toAddend, stepC;\n\tadd.s64 toPre, toPre, "
        + "stepPre").ToText();

    // With z = 2 sqrt(2/pi) (x + 0.044715 x^3), GELU(x) = x/2 (1 + tanh(z/2)) = x s, s = 1 / (1 + exp(-z)); u = x^2.
    private static string Sigmoid(string x) =>
        $"mul.f32 u, {x}, {x};\n\tfma.rn.f32 t, u, {geluCubic}, {one};\n\tmul.f32 t, t, {x};\n\tmul.f32 t, t, "
        + $"{geluTwice};\n\tmul.f32 t, t, {minusLog2E};\n\t" +
        $"ex2.approx.ftz.f32 t, t;\n\tadd.f32 t, t, {one};\n\trcp.approx.ftz.f32 s, t";

    // GELU' = s + x s (1 - s) dz/dx, dz/dx = 2 sqrt(2/pi) (1 + 3 0.044715 x^2).
    private static string Slope(string x, string slope) =>
        $"{Sigmoid(x)};\n\tfma.rn.f32 u, u, {geluCubicThrice}, {one};\n\tmul.f32 u, u, {geluTwice};\n\tmul.f32 u, u, "
        + $"{x};\n\tsub.f32 t, {one}, s;\n\t" +
        $"mul.f32 u, u, t;\n\tfma.rn.f32 {slope}, u, s, s";

    private static string Literal(float value) => $"0f{BitConverter.SingleToUInt32Bits(value):X8}";

    private static string Unpack(string to, string from, int i) =>
        i % 2 == 0 ? $"shl.b32 {to}, {from}{i / 2}, 16" : $"and.b32 {to}, {from}{i / 2}, 0xffff0000";

    private static void LoadBf16(PtxLines lines, string name, int row) =>
        lines.Add($"@row{row} ld.global.v4.b32 {PtxLines.Vector(name, Columns / 2 * row, 4)}, [to]");

    private static void LoadF32(PtxLines lines, string name, int row)
    {
        for (int column = 0; column < Columns; column += 4)
        {
            lines.Add($"@row{row} ld.global.v4.b32 {PtxLines.Vector(name, Columns * row + column, 4)}, "
                + $"[to+{4 * column}]");
        }
    }

    private static void StoreBf16(PtxLines lines, int row)
    {
        for (int i = 0; i < 4; i++)
            lines.Add($"cvt.rn.bf16x2.f32 packed{i}, e{Columns * row + 2 * i + 1}, e{Columns * row + 2 * i}");
        lines.Add($"@row{row} st.global.v4.b32 [to], {PtxLines.Vector("packed", 0, 4)}");
    }

    private static void StoreF32(PtxLines lines, int row)
    {
        for (int column = 0; column < Columns; column += 4)
        {
            lines.Add($"@row{row} st.global.v4.f32 [to+{4 * column}], "
                + $"{PtxLines.Vector("e", Columns * row + column, 4)}");
        }
    }

    private static PtxLines EachRow(string first, string step, Action<PtxLines, int> access)
    {
        var lines = new PtxLines().Add($"mov.b64 to, {first}");
        for (int row = 0; row < Rows; row++)
        {
            if (row > 0)
                lines.Add($"add.s64 to, to, {step}");
            access(lines, row);
        }

        return lines;
    }
}
