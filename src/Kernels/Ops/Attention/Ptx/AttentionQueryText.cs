namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that kernels share whose rows are queries and whose columns are keys: which keys a query sees, and which of
/// its probabilities are dropped.
/// </summary>
/// <param name="tile">What a warp computes.</param>
internal abstract class AttentionQueryText(IAttentionTile tile) : AttentionText(tile)
{
    private const int BlocksOfWord = 32 / 8;

    /// <summary>Declares as well first, for each row the column of the first key that it sees.</summary>
    public override PtxLines Declare()
    {
        Line($".reg .b32 first<{Rows}>, last");
        return base.Declare();
    }

    /// <summary>
    /// Reads a number for each row, at <c>address</c> and on; rows after number <c>last</c> take that one's.
    /// </summary>
    protected void ReadRows(string name, string type)
    {
        for (int row = 0; row < Rows; row++)
        {
            Line($"min.s32 word, last, {8 * row}");
            Line("mad.wide.s32 step, word, 4, address");
            Line($"ld.global.{type} {name}{row}, [step]");
        }
    }

    /// <summary>
    /// The scores s of keys that a query does not see become <paramref name="hidden"/>: those after its own, where the
    /// first row is <c>ahead</c> of the first column; those after the last, up to which there are <c>left</c> columns;
    /// and with <paramref name="starts"/> those before its first, which is read: the first column is key number
    /// <c>key</c>.
    /// </summary>
    protected PtxLines Hide(string hidden, bool starts)
    {
        if (starts)
        {
            ReadRows("first", "b32");
            for (int row = 0; row < Rows; row++)
                Line($"sub.s32 first{row}, first{row}, key");
        }

        ForEachScore((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            int column = 8 * block + element;
            Line($"setp.lt.s32 yes, ahead, {column - 8 * row}");
            Line($"setp.le.or.s32 yes, left, {column}, yes");
            if (starts)
                Line($"setp.gt.or.s32 yes, first{row}, {column}, yes");
            Line($"selp.f32 {s}, {hidden}, {s}, yes");
        });
        return Take();
    }

    /// <summary>
    /// Calls back for the lane's elements (row, block, element), with <c>yes</c> where the probability is kept. Lane i
    /// has the bits of the warp's row i in <c>mine</c>, one for each column; <c>lane</c> is the lane's first row,
    /// <c>shift</c> its first column.
    /// </summary>
    protected void ForEachDraw(Action<int, int, int> action)
    {
        for (int row = 0; row < Rows; row++)
        {
            Line($"add.u32 word, lane, {8 * row}");
            for (int block = 0; block < Blocks; block++)
            {
                if (block % BlocksOfWord == 0)
                {
                    Line($"shfl.sync.idx.b32 keep, mine{block / BlocksOfWord}, word, 31, 0xffffffff");
                    Line("shr.u32 keep, keep, shift");
                }

                for (int element = 0; element < 2; element++)
                {
                    Line($"and.b32 size, keep, {1 << (8 * (block % BlocksOfWord) + element)}");
                    Line("setp.ne.u32 yes, size, 0");
                    action(row, block, element);
                }
            }
        }
    }
}
