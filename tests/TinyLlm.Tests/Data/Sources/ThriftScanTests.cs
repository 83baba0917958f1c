using TinyLlm.Data.Sources;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Structs in Thrift's compact protocol, byte by byte.</summary>
public class ThriftScanTests
{
    private static readonly ThriftType Inner = ThriftType.Struct(ThriftType.Integer, ThriftType.Boolean);

    private static readonly ThriftType Outer = ThriftType.Struct(
        [(1, ThriftType.Integer), (2, ThriftType.Binary), (3, Inner), (4, ThriftType.ListOf(Inner)),
            (20, ThriftType.Double), (21, ThriftType.Byte)]);

    // 1: -2, 2: "ab", 3: {1: 150, 2: true}, 4: [{1: 0}, {}], 20: a double, 21: a byte.
    private static readonly byte[] Whole =
    [
        0x15, 0x03, 0x18, 0x02, 0x61, 0x62, 0x1C, 0x16, 0xAC, 0x02, 0x11, 0x00, 0x19, 0x2C, 0x15, 0x00, 0x00, 0x00,
            0x07, 0x28, 1, 2, 3, 4, 5, 6, 7, 8, 0x13, 0x09, 0x00,
    ];

    [Fact]
    public void Struct_ReportsItsNumbersAndItsEnd()
    {
        var numbers = new List<(ThriftType, int, long)>();
        var ended = new List<ThriftType>();
        var scan = new ThriftScan(
            [.. Whole, 0xFF], (owner, field, value) => numbers.Add((owner, field, value)), ended.Add);
        scan.Struct(Outer);

        Assert.Equal(Whole.Length, scan.Position);
        Assert.Equal([(Outer, 1, -2), (Inner, 1, 150), (Inner, 2, 1), (Inner, 1, 0)], numbers);
        Assert.Equal([Inner, Inner, Inner, Outer], ended);
    }

    [Fact]
    public void Struct_CutAnywhere_IsRefused()
    {
        for (int length = 0; length < Whole.Length; length++)
            Assert.Throws<EndOfStreamException>(() => new ThriftScan(Whole.AsSpan(0, length)).Struct(Outer));
    }

    [Theory]
    [InlineData(new byte[] { 0x18, 0x00, 0x00 }, "wrong type")] // 1: ""
    [InlineData(new byte[] { 0x11, 0x00 }, "wrong type")] // 1: true
    [InlineData(new byte[] { 0x49, 0x15, 0x02, 0x00 }, "wrong type")] // 4: [1]
    [InlineData(new byte[] { 0x5C, 0x00, 0x00 }, "unknown field")] // 5: {}
    [InlineData(new byte[] { 0x59, 0x1C, 0x00, 0x00 }, "unknown field")] // 5: [{}]
    [InlineData(new byte[] { 0x5B, 0x00, 0x00 }, "unknown field")] // 5: an empty map
    [InlineData(
        new byte[] { 0x15, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00 },
        "more than 64 bits")]
    public void Struct_ThatIsAnother_IsRefused(byte[] bytes, string reason)
    {
        var error = Assert.Throws<InvalidDataException>(() => new ThriftScan(bytes).Struct(Outer));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 0x49, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x00 })] // 4: a list of 2 billion
    [InlineData(new byte[] { 0x28, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x00 })] // 2: 2 GiB
    // 2: more than a long can count.
    [InlineData(new byte[] { 0x28, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00 })]
    public void Count_BeyondTheBytes_IsRefused(byte[] bytes) =>
        Assert.Throws<EndOfStreamException>(() => new ThriftScan(bytes).Struct(Outer));

    [Fact]
    public void Field_OfALaterVersion_IsLeftOut()
    {
        // 5: a number, 6: a text, 7: true, 8: a list of numbers, and by its full number 21: a byte.
        var scan = new ThriftScan([0x55, 0x07, 0x18, 0x01, 0x61, 0x11, 0x19, 0x25, 0x02, 0x04, 0x03, 0x2A, 0x01, 0x00]);
        scan.Struct(Outer);
        Assert.Equal(14, scan.Position);
    }
}
