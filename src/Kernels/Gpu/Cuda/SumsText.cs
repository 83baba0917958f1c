namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that takes a warp's sums from the lanes that the tensor cores left them in, two side by side, to lanes that
/// have eight, through shared memory: global memory is then written 16 bytes at a time, whole lines together.
/// </summary>
/// <param name="warpRows">Rows of the warp's tile, a multiple of 16.</param>
/// <param name="warpColumns">Its columns, 32 or 64.</param>
internal sealed class SumsText(int warpRows, int warpColumns)
{
    private readonly int rowBytes = 4 * warpColumns, rowsOfPass = 32 * EpilogueText.Columns / warpColumns;

    /// <summary>
    /// Stores sums from register <paramref name="first"/> of c on; <c>place</c> is that of the lane's first, of
    /// <see cref="SharedTile.SumRow"/> and <see cref="SharedTile.SumColumn"/>.
    /// </summary>
    public int Store(int first = 0)
    {
        // What was here has been read.
        var lines = new PtxLines().Open().Add(".reg .b32 block").Add("bar.warp.sync 0xffffffff");
        for (int column = 0; column < warpColumns / 8; column++)
        {
            lines.Add($"xor.b32 block, place, {16 * column}");
            for (int row = 0; row < warpRows / 8; row++)
            {
                int c = first + 4 * (row / 2 * (warpColumns / 8) + column) + row % 2 * 2;
                lines.Add($"st.shared.v2.f32 [block+{8 * row * rowBytes}], {PtxLines.Vector("c", c, 2)}");
            }
        }

        return lines.Add("bar.warp.sync 0xffffffff").Close().ToText();
    }

    /// <summary>
    /// Loads e0 to e31: eight columns of each of <see cref="EpilogueText.Rows"/> rows, <c>32 / (columns / 8)</c> apart;
    /// <c>place</c> is that of the first column of the first row, and then is that of the row after the last.
    /// </summary>
    public int Load()
    {
        var lines = new PtxLines().Open().Add(".reg .b32 other").Add("xor.b32 other, place, 64");
        for (int row = 0; row < EpilogueText.Rows; row++)
        {
            for (int half = 0; half < 2; half++)
            {
                int place = SharedTile.SumOffset(warpColumns, row * rowsOfPass, 4 * half);
                string register = (place & 64) == 0 ? "place" : "other";
                lines.Add($"ld.shared.v4.f32 {PtxLines.Vector("e", EpilogueText.Columns * row + 4 * half, 4)}, "
                    + $"[{register}+{place & ~64}]");
            }
        }

        return lines.Add($"add.u32 place, place, {EpilogueText.Rows * rowsOfPass * rowBytes}").Close().ToText();
    }
}
