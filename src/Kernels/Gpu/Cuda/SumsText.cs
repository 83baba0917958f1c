using System.Text;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that takes a warp's sums from the lanes that the tensor cores left them in, two side by side, to lanes that have eight, through shared memory: global
/// memory is then written 16 bytes at a time, whole lines together.
/// </summary>
/// <param name="warpRows">Rows of the warp's tile, a multiple of 16.</param>
/// <param name="warpColumns">Its columns, 32 or 64.</param>
internal sealed class SumsText(int warpRows, int warpColumns)
{
    private readonly int rowBytes = 4 * warpColumns, rowsOfPass = 32 * EpilogueText.Columns / warpColumns;

    /// <summary>Stores c0, c1, ... ; <c>place</c> is that of the lane's first, of <see cref="SharedTile.SumRow"/> and <see cref="SharedTile.SumColumn"/>.</summary>
    public string Store()
    {
        var text = new StringBuilder(".reg .b32 block;\n\t");
        for (int column = 0; column < warpColumns / 8; column++)
        {
            text.Append($"xor.b32 block, place, {16 * column};\n\t");
            for (int row = 0; row < warpRows / 8; row++)
            {
                int c = 4 * (row / 2 * (warpColumns / 8) + column) + row % 2 * 2;
                text.Append($"st.shared.v2.f32 [block+{8 * row * rowBytes}], {{c{c}, c{c + 1}}};\n\t");
            }
        }

        return text.Append("bar.warp.sync 0xffffffff;\n\t").ToString();
    }

    /// <summary>
    /// Loads e0 to e31: eight columns of each of <see cref="EpilogueText.Rows"/> rows, <c>32 / (columns / 8)</c> apart; <c>place</c> is that of the first column of
    /// the first row, and then is that of the row after the last.
    /// </summary>
    public string Load()
    {
        var text = new StringBuilder(".reg .b32 other;\n\t").Append("xor.b32 other, place, 64;\n\t");
        for (int row = 0; row < EpilogueText.Rows; row++)
        {
            for (int half = 0; half < 2; half++)
            {
                int place = SharedTile.SumOffset(warpColumns, row * rowsOfPass, 4 * half), e = EpilogueText.Columns * row + 4 * half;
                text.Append($"ld.shared.v4.f32 {{e{e}, e{e + 1}, e{e + 2}, e{e + 3}}}, [{((place & 64) == 0 ? "place" : "other")}+{place & ~64}];\n\t");
            }
        }

        return text.Append($"add.u32 place, place, {EpilogueText.Rows * rowsOfPass * rowBytes};\n\t").ToString();
    }
}
