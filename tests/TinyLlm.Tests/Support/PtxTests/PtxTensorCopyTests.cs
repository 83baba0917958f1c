using TinyLlm.Tests.Support.Ptx;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Copies of boxes of a matrix to shared memory, on the PTX machine.</summary>
public sealed class PtxTensorCopyTests
{
    private const int Rows = 20, Columns = 72, BoxRows = 16, BoxColumns = 64;

    /// <summary>
    /// One thread has a box copied behind an mbarrier at 0 and copies it to global memory, 128 bytes a line, behind the
    /// description.
    /// </summary>
    private static ushort[] Copy(
        int row, int column, ulong misplaced = 0, int expected = 128 * BoxRows, bool describes = true)
    {
        string body = $"""
            mbarrier.init.shared::cta.b64 [tile], 1;
            fence.proxy.async.shared::cta;
            mov.u32 %r1, {column};
            mov.u32 %r2, {row};
            mbarrier.arrive.expect_tx.shared::cta.b64 _, [tile], {expected};
            cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [tile+{1024 + misplaced}], [%data, {"{%r1, %r2}"}], [tile];
            again: mbarrier.try_wait.parity.shared::cta.b64 %p1, [tile], 0;
            @!%p1 bra again;
            mov.u32 %r3, tile;
            add.u32 %r3, %r3, 1024;
            mov.u64 %rd1, %data;
            mov.u32 %r4, 0;
            next: ld.shared.b32 %r5, [%r3];
            st.global.b32 [%rd1+128], %r5;
            add.u32 %r3, %r3, 4;
            add.u64 %rd1, %rd1, 4;
            add.u32 %r4, %r4, 1;
            setp.lt.u32 %p2, %r4, {32 * BoxRows};
            @%p2 bra next;
            """;
        using var machine = new PtxMachine(PtxModule.Parse(PtxText.Kernel(body)));
        ushort[] matrix = [.. Enumerable.Range(0, Rows * Columns).Select(i => (ushort)(i + 1))];
        ulong data = machine.Upload<long>(new long[16 + 16 * BoxRows]);
        var map = new long[16];
        if (describes)
            new PtxTensorMap(machine.Upload<ushort>(matrix), Rows, Columns, BoxRows, BoxColumns).Write(map);
        machine.Write<long>(data, map);
        machine.Launch(1, 1, 1024 + 128 * BoxRows + 1024, data);
        return machine.Download<ushort>(data + 128, 64 * BoxRows);
    }

    /// <summary>Inside; beyond the last row and column; before the first; outside altogether.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(7, 8)]
    [InlineData(-3, -16)]
    [InlineData(40, 0)]
    public void Box_IsSwizzledAndZeroOutside(int row, int column)
    {
        ushort[] copied = Copy(row, column);
        for (int line = 0; line < BoxRows; line++)
        {
            for (int element = 0; element < BoxColumns; element++)
            {
                int r = row + line, c = column + element, chunk = element / 8 ^ (line % 8);
                bool isInside = r is >= 0 and < Rows && c is >= 0 and < Columns;
                Assert.Equal(isInside ? r * Columns + c + 1 : 0, copied[line * 64 + chunk * 8 + element % 8]);
            }
        }
    }

    [Fact]
    public void MisplacedBox_Fails() =>
        Assert.Contains("multiples of eight", Assert.Throws<PtxException>(() => Copy(0, 0, misplaced: 128)).Message);

    [Fact]
    public void MissingDescription_Fails() =>
        Assert.Contains("no description", Assert.Throws<PtxException>(() => Copy(0, 0, describes: false)).Message);

    [Fact]
    public void WrongNumberOfBytes_NeverCompletes() =>
        Assert.ThrowsAny<PtxException>(() => Copy(0, 0, expected: 128 * BoxRows + 16));
}
