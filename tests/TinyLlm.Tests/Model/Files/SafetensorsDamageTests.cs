using System.Text;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>
/// A damaged or hostile file gives one clear line, and takes no memory that its size does not justify.
/// </summary>
public sealed class SafetensorsDamageTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static byte[] File(string header, int dataBytes)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. new byte[dataBytes]];
    }

    private static byte[] Good()
    {
        var writer = new SafetensorsWriter(new Dictionary<string, string> { ["kind"] = "test" });
        writer.Add("a.weight", DType.F32, [2, 3], values => values.Fill(1.5f));
        writer.Add("empty", DType.F32, [0], _ => { });
        writer.Add("scalar", DType.F32, [], values => values[0] = 2);
        writer.Add("half", DType.BF16, [5], values => values.Fill(3));
        var stream = new MemoryStream();
        writer.Write(stream);
        return stream.ToArray();
    }

    private void ReadEverything(byte[] bytes)
    {
        using var reader = SafetensorsReader.Open(folder.Write("f", bytes));
        foreach (SafetensorsTensor tensor in reader.Tensors)
            reader.Read(tensor.Name, new float[tensor.Count]);
    }

    [Fact]
    public void Open_TruncatedAtEveryByte_IsRefused()
    {
        byte[] good = Good();
        ReadEverything(good);
        for (int length = 0; length < good.Length; length++)
            UserError.Expect(() => ReadEverything(good[..length]), folder["f"]);
        UserError.Expect(() => ReadEverything([.. good, 0]), folder["f"], "bytes of data; expected");
    }

    // 24 bytes of data follow each header.
    [Theory]
    [InlineData("", "no valid JSON")]
    [InlineData("nonsense", "no valid JSON")]
    [InlineData("[]", "StartArray")]
    [InlineData("7", "Number")]
    [InlineData("{} x", "no valid JSON")]
    [InlineData("{}", "24 bytes of data; expected 0")]
    [InlineData("""{"a":7}""", "tensor \"a\" is Number")]
    [InlineData("""{"a":{}}""", "tensor \"a\" has no dtype")]
    [InlineData("""{"a":{"dtype":"F32"}}""", "has no shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6]}}""", "has no data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24]}}""", "has dtype twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"shape":[6],"data_offsets":[0,24]}}""", "has shape twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24],"data_offsets":[0,24]}}""", "has data_offsets twice")]
    [InlineData("""{"a":{"dtype":32,"shape":[6],"data_offsets":[0,24]}}""", "dtype of tensor \"a\" is Number")]
    [InlineData("""{"a":{"dtype":"F31","shape":[6],"data_offsets":[0,24]}}""", "\"F31\"")]
    [InlineData("""{"a":{"dtype":"F32","shape":6,"data_offsets":[0,24]}}""", "shape of tensor \"a\" is Number")]
    [InlineData("""{"a":{"dtype":"F32","shape":["6"],"data_offsets":[0,24]}}""", "shape of tensor \"a\" is String")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-6],"data_offsets":[0,24]}}""", "no")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6.0],"data_offsets":[0,24]}}""", "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,24]}}""", "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,24]}}""", "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296,4294967296],"data_offsets":[0,24]}}""", "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,24]}}""", "has 24 bytes; expected 20 for F32 (5)")]
    [InlineData("""{"a":{"dtype":"BF16","shape":[6],"data_offsets":[0,24]}}""", "has 24 bytes; expected 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[24,0]}}""", "begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[0]}}""", "begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24,24]}}""", "begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[4,28]}}""", "expected 0, so that there is no hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[7],"data_offsets":[0,28]}}""", "24 bytes of data; expected 28")]
    [InlineData("""{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}""", "24 bytes of data; expected 20")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2305843009213693951],"data_offsets":[0,9223372036854775804]}}""", "24 bytes of data; expected 9223372036854775804")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}""", "no overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}""", "no overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}""", "no hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"e":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", "no overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}""", "\"a\" stands in the header twice")]
    [InlineData("""{"__metadata__":7}""", "__metadata__ is Number")]
    [InlineData("""{"__metadata__":{"x":7}}""", "__metadata__ \"x\" is Number")]
    [InlineData("""{"__metadata__":{"x":"7","x":"7"}}""", "\"x\" twice")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "__metadata__ stands in the header twice")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}""", "no valid UTF-8")]
    [InlineData("""{"a\nb\u2028":{"dtype":"F32","shape":[5],"data_offsets":[0,24]}}""", "\"a?b?\"")]
    [InlineData("""{"a":{"x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}""", "has no dtype")]
    public void Open_NamesTheFault(string header, string part) =>
        UserError.Expect(() => ReadEverything(File(header, 24)), folder["f"], part);

    [Fact]
    public void Open_HostileNames_GiveAShortLine()
    {
        string name = new('n', 1_000_000), sizes = string.Join(",", Enumerable.Repeat(1, 100_000));
        UserError.Expect(() => ReadEverything(File($$$"""{"{{{name}}}":{"dtype":"F32","shape":[{{{sizes}}}],"data_offsets":[0,24]}}""", 24)), "expected 4");
        UserError.Expect(() => ReadEverything(File($$$"""{"a":{"dtype":"{{{name}}}","shape":[6],"data_offsets":[0,24]}}""", 24)), "dtype");
        UserError.Expect(() => ReadEverything(File($$$"""{"a":{"dtype":"F32","shape":[6],"data_offsets":[{{{sizes}}}]}}""", 24)), "data_offsets");
    }

    [Theory]
    [InlineData(16UL)]
    [InlineData(99_999_999UL)]
    [InlineData(100_000_000UL)]
    [InlineData(100_000_001UL)]
    [InlineData(0x7FFF_FFFF_FFFF_FFFFUL)]
    [InlineData(0x8000_0000_0000_0000UL)]
    [InlineData(0xFFFF_FFFF_FFFF_FFFFUL)]
    public void Open_LongHeaderOfAShortFile_TakesNoMemory(ulong length)
    {
        string path = folder.Write("f", [.. BitConverter.GetBytes(length), .. "{}"u8]);
        UserError.Expect(() => SafetensorsReader.Open(path), path);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<TinyLlmException>(() => SafetensorsReader.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void Open_HugeTensorOfAShortFile_TakesNoMemory()
    {
        string path = folder.Write("f", File("""{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}""", 24));
        UserError.Expect(() => SafetensorsReader.Open(path), path);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<TinyLlmException>(() => SafetensorsReader.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void Open_NoSuchFileOrAFolder()
    {
        UserError.Expect(() => SafetensorsReader.Open(folder["none"]), folder["none"], "no such file");
        UserError.Expect(() => SafetensorsReader.Open(folder["none/none"]), "no such file");
        UserError.Expect(() => SafetensorsReader.Open(folder.Path), "folder");
    }

    [Fact]
    public void Read_OfAFileCutSinceItWasOpened_IsRefused()
    {
        string path = folder.Write("f", Good());
        using var reader = SafetensorsReader.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(stream.Length - 3);
        UserError.Expect(() => reader.Read("half", new float[5]), path, "cut while being read");
    }

    // Anything but a clear line or a file that reads is a fault: the file must never hurt.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Open_RandomMutations_ReadOrAreRefused(int kind)
    {
        byte[] good = Good();
        int header = (int)BitConverter.ToInt64(good), read = 0, refused = 0;
        byte[] likely = "{}[]\",:0123456789-.eE\\u \0\xFF"u8.ToArray();
        var random = new Random(kind);
        for (int run = 0; run < 2000; run++)
        {
            List<byte> bytes = [.. good];
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                int place = kind == 1 ? random.Next(bytes.Count) : random.Next(8, 8 + header);
                byte value = random.Next(3) == 0 ? (byte)random.Next(256) : likely[random.Next(likely.Length)];
                switch (kind == 3 ? random.Next(3) : 0)
                {
                    case 0: bytes[place] = value; break;
                    case 1: bytes.Insert(place, value); break;
                    default: bytes.RemoveAt(place); break;
                }
            }

            byte[] file = [.. bytes];
            if (kind == 3) // so that the change of length is not all that is found
                BitConverter.TryWriteBytes(file, (long)(header + file.Length - good.Length));
            try
            {
                ReadEverything(file);
                read++;
            }
            catch (TinyLlmException error)
            {
                UserError.CheckLine(error);
                refused++;
            }
            catch (Exception error)
            {
                Assert.Fail($"kind {kind}, run {run}: {error.GetType().Name} from {Convert.ToHexString(file)}: "
                    + $"{error.Message}");
            }
        }

        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
    }
}
