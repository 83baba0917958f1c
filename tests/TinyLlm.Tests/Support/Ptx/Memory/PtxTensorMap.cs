using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// A row-major matrix of 16-bit elements, of which the copy engine copies boxes, in the 128-byte swizzle, with zeros
/// beyond its ends. What the driver's 128 bytes look like is not documented; these are the machine's own.
/// </summary>
internal readonly record struct PtxTensorMap(ulong Address, int Rows, int Columns, int BoxRows, int BoxColumns)
{
    public const int Bytes = 128;

    /// <summary>What stands before a description's other fields.</summary>
    private const long Mark = 0x70614D726F736E54;

    public void Write(Span<long> map)
    {
        map[..(Bytes / 8)].Clear();
        map[0] = Mark;
        map[1] = (long)Address;
        map[2] = Rows;
        map[3] = Columns;
        map[4] = BoxRows;
        map[5] = BoxColumns;
    }

    /// <summary>Null for bytes that are no description.</summary>
    public static PtxTensorMap? Read(ReadOnlySpan<byte> bytes)
    {
        var map = MemoryMarshal.Cast<byte, long>(bytes);
        return map[0] == Mark ? new PtxTensorMap((ulong)map[1], (int)map[2], (int)map[3], (int)map[4], (int)map[5])
            : null;
    }

    /// <summary>What the driver would refuse in it, or null.</summary>
    public string? Problem
    {
        get
        {
            if (Address % 16 != 0 || Columns % 8 != 0)
                return "the matrix and its rows must start at multiples of 16 bytes";
            if (Rows < 1 || Columns < 1 || BoxRows is < 1 or > 256 || BoxColumns is < 1 or > 64)
                return "a box has 1 to 256 rows of up to 128 bytes";
            return BoxColumns % 8 != 0 ? "a box's rows are multiples of 16 bytes" : null;
        }
    }
}
