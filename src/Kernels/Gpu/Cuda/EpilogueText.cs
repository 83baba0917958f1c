using System.Text;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of what follows a product: a lane has <see cref="Rows"/> rows of 8 neighbouring sums in registers e0 to e31, applies bias, GELU and the like, and
/// stores them rounded. Loads come first, all rows' together, so that their times overlap.
/// </summary>
internal static class EpilogueText
{
    /// <summary>Rows that a lane has at a time.</summary>
    public const int Rows = 4;

    /// <summary>Columns that a lane has.</summary>
    public const int Columns = 8;

    private static readonly string geluTwice = Literal(2 * 0.7978845608f); // 2 sqrt(2 / pi)
    private static readonly string geluCubic = Literal(0.044715f);
    private static readonly string geluCubicThrice = Literal(3 * 0.044715f);
    private static readonly string minusLog2E = Literal(-1.442695041f);
    private static readonly string one = Literal(1);

    /// <summary>
    /// Declares: e, the sums; part, addend and pre, what is read; bias; the addresses of the first row in C and the others, and the steps between rows;
    /// left, how many rows there are from the first on, and rowStep.
    /// </summary>
    public static readonly int Declare = PtxText.Add(
        ".reg .f32 e<32>, bias<8>, part<32>, x, u, s, t;\n\t.reg .b32 addend<32>, pre<16>, packed<4>, left, rowStep;\n\t" +
        ".reg .b64 toC, toAddend, toPre, toPart, stepC, stepPre, stepPart, to;\n\t.reg .pred row<4>;\n\t" +
        All(8, i => $"mov.f32 bias{i}, 0f00000000"));

    /// <summary>Decides which of the rows are within C.</summary>
    public static readonly int FindRows = PtxText.Add(All(Rows, i => $"setp.gt.s32 row{i}, left, 0;\n\tsub.s32 left, left, rowStep"));

    /// <summary>Reads the bias of the lane's columns, from the address <c>to</c>.</summary>
    public static readonly int ReadBias = PtxText.Add(
        "ld.global.v4.f32 {bias0, bias1, bias2, bias3}, [to];\n\tld.global.v4.f32 {bias4, bias5, bias6, bias7}, [to+16];\n\t");

    /// <summary>Adds the bias, or zeros.</summary>
    public static readonly int AddBias = PtxText.Add(All(Rows * Columns, i => $"add.f32 e{i}, e{i}, bias{i % Columns}"));

    /// <summary>e = 0.</summary>
    public static readonly int Clear = PtxText.Add(All(Rows * Columns, i => $"mov.f32 e{i}, 0f00000000"));

    /// <summary>Adds sums of single precision from global memory: what a part of the depth gave.</summary>
    public static readonly int AddPart = PtxText.Add(
        EachRow("toPart", "stepPart", row => Load("part", 8 * row, row, 0) + Load("part", 8 * row + 4, row, 16)) +
        All(Rows * Columns, i => $"add.f32 e{i}, e{i}, part{i}"));

    /// <summary>Reads pre-activations, bf16.</summary>
    public static readonly int ReadPre = PtxText.Add(EachRow("toPre", "stepPre", row => Load("pre", 4 * row, row, 0)));

    /// <summary>Reads addends, bf16.</summary>
    public static readonly int ReadAddendBf16 = PtxText.Add(EachRow("toAddend", "stepC", row => Load("addend", 4 * row, row, 0)));

    /// <summary>Reads addends, single precision.</summary>
    public static readonly int ReadAddendF32 = PtxText.Add(EachRow("toAddend", "stepC", row => Load("addend", 8 * row, row, 0) + Load("addend", 8 * row + 4, row, 16)));

    /// <summary>Adds addends, bf16.</summary>
    public static readonly int AddBf16 = PtxText.Add(All(Rows * Columns, i => $"{Unpack("x", "addend", i)};\n\tadd.f32 e{i}, e{i}, x"));

    /// <summary>Adds addends, single precision.</summary>
    public static readonly int AddF32 = PtxText.Add(All(Rows * Columns, i => $"mov.b32 x, addend{i};\n\tadd.f32 e{i}, e{i}, x"));

    /// <summary>Stores the sums as pre-activations, bf16.</summary>
    public static readonly int WritePre = PtxText.Add(EachRow("toPre", "stepPre", StoreBf16));

    /// <summary>e = Gelu(e).</summary>
    public static readonly int Gelu = PtxText.Add(All(Rows * Columns, i => $"{Sigmoid($"e{i}")};\n\tmul.f32 e{i}, e{i}, s"));

    /// <summary>e = e Gelu'(pre).</summary>
    public static readonly int MultiplyGeluSlope = PtxText.Add(All(Rows * Columns, i => $"{Unpack("x", "pre", i)};\n\t{Slope(i)}"));

    /// <summary>Stores C, bf16.</summary>
    public static readonly int WriteBf16 = PtxText.Add(EachRow("toC", "stepC", StoreBf16));

    /// <summary>Stores C, single precision.</summary>
    public static readonly int WriteF32 = PtxText.Add(EachRow("toC", "stepC", row => Store(row, 0) + Store(row, 4)));

    /// <summary>Turns to the next rows.</summary>
    public static readonly int NextRows = PtxText.Add(
        All(Rows, _ => "add.s64 toC, toC, stepC;\n\tadd.s64 toAddend, toAddend, stepC;\n\tadd.s64 toPre, toPre, stepPre"));

    // With z = 2 sqrt(2/pi) (x + 0.044715 x^3), Gelu(x) = x/2 (1 + tanh(z/2)) = x s, s = 1 / (1 + exp(-z)).
    private static string Sigmoid(string x) =>
        $"mul.f32 u, {x}, {x};\n\tfma.rn.f32 t, u, {geluCubic}, {one};\n\tmul.f32 t, t, {x};\n\tmul.f32 t, t, {geluTwice};\n\tmul.f32 t, t, {minusLog2E};\n\t" +
        $"ex2.approx.ftz.f32 t, t;\n\tadd.f32 t, t, {one};\n\trcp.approx.ftz.f32 s, t";

    // Gelu' = s + x s (1 - s) dz/dx, dz/dx = 2 sqrt(2/pi) (1 + 3 0.044715 x^2); u still is x^2.
    private static string Slope(int i) =>
        $"{Sigmoid("x")};\n\tfma.rn.f32 u, u, {geluCubicThrice}, {one};\n\tmul.f32 u, u, {geluTwice};\n\tmul.f32 u, u, x;\n\tsub.f32 t, {one}, s;\n\t" +
        $"mul.f32 u, u, t;\n\tfma.rn.f32 u, u, s, s;\n\tmul.f32 e{i}, e{i}, u";

    private static string Literal(float value) => $"0f{BitConverter.SingleToUInt32Bits(value):X8}";

    private static string Unpack(string to, string from, int i) =>
        i % 2 == 0 ? $"shl.b32 {to}, {from}{i / 2}, 16" : $"and.b32 {to}, {from}{i / 2}, 0xffff0000";

    private static string Load(string name, int first, int row, int place) =>
        $"@row{row} ld.global.v4.{(name == "part" ? "f32" : "b32")} {{{name}{first}, {name}{first + 1}, {name}{first + 2}, {name}{first + 3}}}, [to+{place}];\n\t";

    private static string Store(int row, int column)
    {
        int first = Columns * row + column;
        return $"@row{row} st.global.v4.f32 [to+{4 * column}], {{e{first}, e{first + 1}, e{first + 2}, e{first + 3}}};\n\t";
    }

    private static string StoreBf16(int row) =>
        All(4, i => $"cvt.rn.bf16x2.f32 packed{i}, e{Columns * row + 2 * i + 1}, e{Columns * row + 2 * i}") +
        $"@row{row} st.global.v4.b32 [to], {{packed0, packed1, packed2, packed3}};\n\t";

    private static string EachRow(string first, string step, Func<int, string> access)
    {
        var text = new StringBuilder($"mov.b64 to, {first};\n\t");
        for (int row = 0; row < Rows; row++)
            text.Append(row == 0 ? "" : $"add.s64 to, to, {step};\n\t").Append(access(row));
        return text.ToString();
    }

    private static string All(int count, Func<int, string> statement) =>
        string.Concat(Enumerable.Range(0, count).Select(i => statement(i) + ";\n\t"));
}
