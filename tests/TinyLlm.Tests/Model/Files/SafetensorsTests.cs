using System.Text;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[count];
        foreach (ref float value in values.AsSpan())
            value = (float)(random.NextDouble() * 2 - 1) * MathF.Pow(10, random.Next(-20, 20));
        return values;
    }

    private static float[] ReadAll(SafetensorsReader reader, string name)
    {
        float[] values = new float[reader[name].Count];
        reader.Read(name, values);
        return values;
    }

    // A file from a header's text and data, with the length in front.
    private string Raw(string header, params byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        return folder.Write("raw.safetensors", [.. BitConverter.GetBytes((long)json.Length), .. json, .. data]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    [InlineData((1 << 20) + 3)] // more than one piece of the writer
    public void F32_RoundTripsBitForBit(int count)
    {
        float[] a = Random(count, 1), b = Random(2 * count, 2);
        var writer = new SafetensorsWriter(new Dictionary<string, string> { ["note"] = "grüße \"x\"\n" });
        writer.Add("a", DType.F32, [count], values => a.CopyTo(values));
        writer.Add("b.ß", DType.F32, [2, count, 1], values => b.CopyTo(values));
        writer.Save(folder["f.safetensors"]);

        using var reader = SafetensorsReader.Open(folder["f.safetensors"]);
        Assert.Equal(["a", "b.ß"], reader.Tensors.Select(t => t.Name));
        Assert.Equal([2, count, 1], reader["b.ß"].Shape);
        Assert.Equal(("F32", 2L * count), (reader["b.ß"].DType, reader["b.ß"].Count));
        Assert.Equal(a, ReadAll(reader, "a"));
        Assert.Equal(b, ReadAll(reader, "b.ß"));
        Assert.Equal("pt", reader.Metadata["format"]);
        Assert.Equal("grüße \"x\"\n", reader.Metadata["note"]);
        Assert.Equal(12L * count, writer.DataBytes);
    }

    // Every BF16 value is exact in F32, so writing what was read gives the same bits; a NaN stays a NaN, made quiet.
    [Fact]
    public void Bf16_RoundTripsAllValues()
    {
        float[] all = [.. Enumerable.Range(0, 65536).Select(i => BitConverter.UInt32BitsToSingle((uint)i << 16))];
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.BF16, [256, 256], values => all.CopyTo(values));
        writer.Save(folder["f"]);
        using var reader = SafetensorsReader.Open(folder["f"]);
        float[] read = ReadAll(reader, "x");
        for (int i = 0; i < all.Length; i++)
        {
            uint expected = float.IsNaN(all[i]) ? (uint)i << 16 | 0x400000 : (uint)i << 16;
            Assert.Equal(expected, BitConverter.SingleToUInt32Bits(read[i]));
        }
    }

    [Theory]
    [InlineData(0x3F800000u, 0x3F80u)] // 1
    [InlineData(0x3F807FFFu, 0x3F80u)] // just below the middle
    [InlineData(0x3F808000u, 0x3F80u)] // the middle: to even, down
    [InlineData(0x3F808001u, 0x3F81u)] // just above
    [InlineData(0x3F818000u, 0x3F82u)] // the middle: to even, up
    [InlineData(0xBF818000u, 0xBF82u)]
    [InlineData(0x7F7FFFFFu, 0x7F80u)] // the largest float rounds to infinity
    [InlineData(0x7F800000u, 0x7F80u)]
    [InlineData(0xFF800000u, 0xFF80u)]
    [InlineData(0x7F800001u, 0x7FC0u)] // a NaN must not become infinity
    [InlineData(0xFFC00000u, 0xFFC0u)]
    [InlineData(0x80000000u, 0x8000u)]
    [InlineData(0x00000001u, 0x0000u)]
    [InlineData(0x00018000u, 0x0002u)]
    public void Bf16_RoundsToNearestEven(uint bits, uint expected)
    {
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.BF16, [2], values => values.Fill(BitConverter.UInt32BitsToSingle(bits)));
        var stream = new MemoryStream();
        writer.Write(stream);
        byte[] file = stream.ToArray();
        Assert.Equal(expected, BitConverter.ToUInt16(file, file.Length - 4));
        Assert.Equal(expected, BitConverter.ToUInt16(file, file.Length - 2));
    }

    [Fact]
    public void F16_ReadsAllValues()
    {
        byte[] data = new byte[2 * 65536];
        for (int i = 0; i < 65536; i++)
            BitConverter.TryWriteBytes(data.AsSpan(2 * i), (ushort)i);
        using var reader = SafetensorsReader.Open(Raw("""{"x":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}""", data));
        float[] read = ReadAll(reader, "x");
        for (int i = 0; i < 65536; i++)
        {
            // Sign, 5 bits of exponent, 10 of mantissa: IEEE 754 binary16.
            int exponent = i >> 10 & 31, mantissa = i & 1023;
            double size = exponent == 0 ? mantissa * Math.Pow(2, -24)
                : exponent == 31 ? (mantissa == 0 ? double.PositiveInfinity : double.NaN)
                : (1 + mantissa / 1024.0) * Math.Pow(2, exponent - 15);
            Assert.Equal((float)(i >= 32768 ? -size : size), read[i]);
        }
    }

    // Lengths around the in-place widening's edges.
    [Theory]
    [InlineData("BF16")]
    [InlineData("F16")]
    public void SixteenBit_ReadsEveryLength(string dtype)
    {
        for (int n = 0; n < 40; n++)
        {
            byte[] data = [.. Enumerable.Range(0, n).SelectMany(i => BitConverter.GetBytes((ushort)(0x3C00 + 8 * i)))];
            using var reader = SafetensorsReader.Open(Raw($$$"""{"x":{"dtype":"{{{dtype}}}","shape":[{{{n}}}],"data_offsets":[0,{{{2 * n}}}]}}""", data));
            float[] expected = [.. Enumerable.Range(0, n).Select(i => dtype == "F16" ? 1 + i / 128f
                : BitConverter.UInt32BitsToSingle((uint)(0x3C00 + 8 * i) << 16))];
            Assert.Equal(expected, ReadAll(reader, "x"));
        }
    }

    [Fact]
    public void Writer_GivesTheKnownBytes()
    {
        var writer = new SafetensorsWriter();
        writer.Add("a", DType.F32, [2], values => { values[0] = 1; values[1] = -2.5f; });
        writer.Add("b", DType.BF16, [], values => values[0] = 3.140625f);
        var stream = new MemoryStream();
        writer.Write(stream);

        const string header = """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}""";
        Assert.Equal(139, header.Length); // and five spaces, to a multiple of 8
        Assert.Equal(
            "9000000000000000" + Convert.ToHexString(Encoding.ASCII.GetBytes(header)) + "2020202020" + "0000803F"
            + "000020C0" + "4940",
            Convert.ToHexString(stream.ToArray()));
    }

    [Fact]
    public void Reader_ReadsTheKnownBytes()
    {
        // Not in the order of the data, unknown fields, white space, an empty and a scalar tensor, and dtypes that are
        // only listed.
        const string header = """
             {"s": {"shape": [], "dtype": "BF16", "data_offsets": [4, 6], "more": {"x": [1]}},
              "i": {"dtype": "I64", "shape": [1], "data_offsets": [6, 14]},
              "e": {"dtype": "F32", "shape": [0, 9223372036854775807], "data_offsets": [4, 4]},
              "\u0061": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}    
            """;
        using var reader =
            SafetensorsReader.Open(Raw(header, Convert.FromHexString("0000803F" + "4940" + "0700000000000000")));
        Assert.Equal(["a", "e", "s", "i"], reader.Tensors.Select(t => t.Name));
        Assert.Empty(reader.Metadata);
        Assert.Equal([1f], ReadAll(reader, "a"));
        Assert.Equal([], ReadAll(reader, "e"));
        Assert.Equal([3.140625f], ReadAll(reader, "s"));
        Assert.Empty(reader["s"].Shape);
        Assert.Equal((1L, "i I64 (1)"), (reader["i"].Count, reader["i"].ToString()));
        UserError.Expect(() => ReadAll(reader, "i"), "raw.safetensors", "\"i\"", "I64", "expected F32, BF16 or F16");
        UserError.Expect(() => ReadAll(reader, "z"), "raw.safetensors", "\"z\"");
        Assert.Null(reader.Find("z"));
        Assert.Throws<ArgumentException>(() => reader.Read("a", new float[2]));
        Assert.Throws<ArgumentException>(() => reader.Read("a", 1, new float[1]));
        Assert.Throws<ArgumentException>(() => reader.Read("a", -1, new float[1]));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Read_OfAPart(DType dtype)
    {
        var writer = new SafetensorsWriter();
        writer.Add("before", dtype, [6], values => values.Fill(-1));
        writer.Add("x", dtype, [10, 10], values =>
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = i;
        });
        writer.Save(folder["f"]);
        using var reader = SafetensorsReader.Open(folder["f"]);
        for (int start = 0; start <= 100; start += 7)
        {
            float[] part = new float[Math.Min(15, 100 - start)];
            reader.Read("x", start, part);
            Assert.Equal(Enumerable.Range(start, part.Length).Select(i => (float)i), part);
        }
    }

    [Fact]
    public void Writer_WritesTheSameAgain()
    {
        var writer = new SafetensorsWriter(new Dictionary<string, string> { ["b"] = "1", ["a"] = "2" });
        float value = 1;
        writer.Add("big", DType.F32, [100], values => values.Fill(value));
        writer.Add("small", DType.BF16, [3], values => values.Fill(value));
        writer.Save(folder["1"]);
        writer.Save(folder["2"]);
        value = 2;
        writer.Save(folder["3"]);
        Assert.Equal(File.ReadAllBytes(folder["1"]), File.ReadAllBytes(folder["2"]));
        using var reader = SafetensorsReader.Open(folder["3"]);
        Assert.Equal([2f, 2f, 2f], ReadAll(reader, "small"));
        Assert.Equal(["a", "b", "format"], reader.Metadata.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Writer_RefusesMistakes()
    {
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.BF16, [1], _ => { });
        Assert.Throws<ArgumentException>(() => writer.Add("x", DType.BF16, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("__metadata__", DType.BF16, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("i", DType.I32, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("unaligned", DType.F32, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("negative", DType.BF16, [-1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("huge", DType.BF16, [1 << 30, 1 << 30, 1 << 30], _ => { }));
    }

    [Fact]
    public void Save_ThatFails_KeepsTheEarlierFile()
    {
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.F32, [1], values => values[0] = 1);
        writer.Save(folder["f"]);
        byte[] earlier = File.ReadAllBytes(folder["f"]);
        writer.Add("y", DType.F32, [1], _ => throw new InvalidOperationException("the device is lost"));
        Assert.Throws<InvalidOperationException>(() => writer.Save(folder["f"]));
        Assert.Equal(earlier, File.ReadAllBytes(folder["f"]));
        Assert.Equal(["f"], folder.Names);
    }
}
