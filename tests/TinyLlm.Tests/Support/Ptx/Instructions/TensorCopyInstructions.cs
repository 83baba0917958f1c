using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// cp.async.bulk.tensor.2d from global to shared memory, of matrices that a <see cref="PtxTensorMap"/> describes.
/// </summary>
internal static unsafe class TensorCopyInstructions
{
    private const int LineBytes = 128;
    private const int ChunkBytes = 16;

    /// <summary>
    /// cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [to], [map, {column, row}],
    /// [mbarrier]
    /// </summary>
    public static bool Emit(PtxDecoder d)
    {
        d.TakeHints("L2::");
        d.Take("tile");
        if (!d.Take("async") || !d.Take("2d") || d.TakeAny("shared::cluster", "shared::cta") is null
            || !d.Take("global") || !d.Take("mbarrier::complete_tx::bytes"))
            return false;
        PtxInstruction i = d.New(&Copy), map = d.New(null), barrier = d.New(null);
        d.SetAddress(ref i, 0);
        d.SetAddress(ref map, 1);
        d.SetAddress(ref barrier, 2);
        IReadOnlyList<PtxOperand> place = d.Operand(1).Items[^1].Items;
        if (place.Count != 2 || map.Immediate != 0)
            return false;
        i.Bytes = checked((int)barrier.Immediate);
        d.SetOperands(ref i, [map.A, d.Slot(place[0], PtxType.S32), d.Slot(place[1], PtxType.S32), barrier.A]);
        d.Emit(i);
        return true;
    }

    private static void Copy(ulong* r, PtxInstruction* i, PtxThread t)
    {
        ulong to = MemoryInstructions.Address(r, i), mapAddress = r[i->Operands[0]];
        int column = (int)r[i->Operands[1]], row = (int)r[i->Operands[2]],
            barrier = (int)(uint)r[i->Operands[3]] + i->Bytes;
        if (mapAddress % 64 != 0)
            throw t.Fault(i, $"the description of the matrix, at 0x{mapAddress:x}, is not at a multiple of 64");
        byte* mapBytes = PtxMemory.IsParameter(mapAddress)
            ? t.EntryParameter(mapAddress - PtxMemory.ParameterWindow, PtxTensorMap.Bytes, i)
            : t.GlobalBytes(mapAddress, PtxTensorMap.Bytes, i);
        PtxTensorMap map = PtxTensorMap.Read(new ReadOnlySpan<byte>(mapBytes, PtxTensorMap.Bytes))
            ?? throw t.Fault(i, "there is no description of a matrix");
        t.Report(map.Problem, i);
        // The swizzle follows the address, and repeats after eight lines; the engine wants the box to start with one.
        if (map.BoxColumns * 2 != LineBytes || to % (8 * LineBytes) != 0)
        {
            throw t.Fault(i, $"a box of {map.BoxColumns} columns to {to}: the machine knows lines of {LineBytes} "
                + "bytes, at multiples of eight of them");
        }

        int bytes = map.BoxRows * LineBytes;
        t.Shared(to, ChunkBytes, PtxAccess.Unwatched, i);
        t.Shared(to + (ulong)(bytes - ChunkBytes), ChunkBytes, PtxAccess.Unwatched, i);
        MbarrierInstructions.Check(barrier, i, t);
        byte* matrix = t.GlobalBytes(map.Address, 2 * map.Rows * map.Columns, i);
        t.Block.BulkCopies.Add(t, i, (int)to, bytes, place => Fill(place, matrix, map, row, column), barrier);
    }

    private static void Fill(Span<byte> to, byte* matrix, PtxTensorMap map, int firstRow, int firstColumn)
    {
        to.Clear();
        for (int line = 0; line < map.BoxRows; line++)
        {
            int row = firstRow + line;
            if (row < 0 || row >= map.Rows)
                continue;
            var elements = new ReadOnlySpan<ushort>(matrix + 2L * row * map.Columns, map.Columns);
            for (int column = Math.Max(0, -firstColumn); column < Math.Min(
                map.BoxColumns, map.Columns - firstColumn); column++)
            {
                int chunk = 2 * column / ChunkBytes ^ line % 8;
                MemoryMarshal.Write(
                    to[(line * LineBytes + chunk * ChunkBytes + 2 * column % ChunkBytes)..],
                    elements[firstColumn + column]);
            }
        }
    }
}
