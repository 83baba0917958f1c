using System.Runtime.InteropServices;
using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Tokens;

public class BinFileTests
{
    private static readonly ushort[] Tokens = [.. Enumerable.Range(0, 500).Select(i => (ushort)(i * 101 % 50_257))];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tokens_OfOtherTrainers_AreRead(bool llmC)
    {
        using var folder = new TemporaryFolder();
        using var mapped = BinFile.Map(folder.Write("a.bin", [.. llmC ? Header(20240520, 1, Tokens.Length)
            : [], .. MemoryMarshal.AsBytes(Tokens.AsSpan())]), 50_257);
        Assert.Equal(Tokens.Select(id => (int)id), Read(mapped));
    }

    [Fact]
    public void Tokens_OfLlama3_Have32Bits()
    {
        using var folder = new TemporaryFolder();
        int[] ids = [.. Tokens.Select(id => id * 2)];
        byte[] bytes = [.. Header(20240801, 7, ids.Length), .. MemoryMarshal.AsBytes(ids.AsSpan())];
        using (var mapped = BinFile.Map(folder.Write("a.bin", bytes), 128_256))
            Assert.Equal(ids, Read(mapped));
        UserError.Expect(() => BinFile.Map(folder["a.bin"], 50_257), $"token id {ids.Max()}; expected ids below 50257");
        UserError.Expect(() => BinFile.Map(folder.Write("a.bin", bytes[..^4]), 128_256), "cut short");
        UserError.Expect(() => BinFile.Map(folder.Write("a.bin", [.. Header(20240801, 7, 1), 255, 255, 255, 255]),
            128_256), "token id 4294967295");
    }

    /// <summary>A file in llm.c's Llama-3 form that was not made here.</summary>
    [Fact]
    public void AFileOfOthers_HasItsTokens()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Golden", "cases", "tok-llmc-v7-llama3.bin");
        using var mapped = BinFile.Map(path, 100_279);
        Assert.Equal(811, mapped.Count);
        Assert.Equal(MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(path))[256..].ToArray(), Read(mapped));
    }

    [Fact]
    public void WhatIsWrong_IsSaid()
    {
        byte[] tokens = [.. MemoryMarshal.AsBytes(Tokens.AsSpan())];
        Refuse([.. Header(20240520, 2, Tokens.Length), .. tokens], "magic number 20240520 and version 2; expected "
            + "20240520 and version 1 (2 bytes a token) or 20240801 and version 7 (4 bytes a token)");
        Refuse([.. Header(20240801, 1, Tokens.Length), .. tokens], "magic number 20240801 and version 1");
        Refuse([.. Header(20240520, 1, Tokens.Length + 1), .. tokens], "expected 2,026 for the 501 tokens",
            "cut short");
        Refuse([.. Header(20240520, 1, Tokens.Length - 1), .. tokens], "expected 2,022 for the 499 tokens",
            "longer than its header says");
        Refuse([.. Header(20240520, 1, 0), .. tokens], "names 0 tokens");
        Refuse([.. Header(20240520, 1, -1), .. tokens], "names -1 tokens");
        Refuse(tokens[1..], "an even number");
        Refuse([], "an even number above 0");
        using var folder = new TemporaryFolder();
        UserError.Expect(() => BinFile.Map(folder.Write("a.bin", tokens), Tokens.Max()),
            $"token id {Tokens.Max()}; expected ids below {Tokens.Max()}");
        UserError.Expect(() => BinFile.Map(folder["missing.bin"], 10), "missing.bin", "no such file");
    }

    [Fact]
    public void AnUnknownHeader_IsNoIds()
    {
        byte[] tokens = [.. MemoryMarshal.AsBytes(Tokens.AsSpan())];
        // llm.c's HellaSwag
        Refuse([.. Header(20240522, 1, Tokens.Length), .. tokens], "unknown header", "20240522, then 1");
        Refuse([.. Header(20251103, 3, 5), .. tokens], "unknown header", "20251103, then 3");
        Refuse([.. Header(77, 5, 5), .. tokens], "unknown header"); // nothing but zeros behind
        Refuse([.. BitConverter.GetBytes(0x6B6F7401), .. BitConverter.GetBytes(Tokens.Length), .. tokens],
            "unknown header"); // a number that fits
        Refuse([.. BitConverter.GetBytes(0x6B6F7401), .. BitConverter.GetBytes(1),
            .. BitConverter.GetBytes((long)Tokens.Length), .. tokens], "unknown header");
        int[] wide = [.. Tokens.Select(id => id * 2)];
        Refuse([.. MemoryMarshal.AsBytes(wide.AsSpan())], "as if ids had 4 bytes");
        long[] wider = [.. Tokens.Select(id => (long)id)];
        Refuse([.. MemoryMarshal.AsBytes(wider.AsSpan())], "as if ids had 4 bytes");
    }

    /// <summary>Whatever its ids: a file without a header is read, down to vocabularies of some tokens.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(65)]
    [InlineData(256)]
    [InlineData(1000)]
    [InlineData(50_257)]
    public void AFileWithoutAHeader_IsNotTakenForAnother(int vocabulary)
    {
        using var folder = new TemporaryFolder();
        for (int seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            ushort[] ids = [.. Enumerable.Range(0, random.Next(1, 1500)).Select(_ => (ushort)random.Next(vocabulary))];
            using var mapped = BinFile.Map(folder.Write("a.bin", [.. MemoryMarshal.AsBytes(ids.AsSpan())]), vocabulary);
            Assert.Equal(ids.Length, mapped.Count);
        }
    }

    [Fact]
    public void AnotherFormat_IsNamed()
    {
        byte[] rest = [.. MemoryMarshal.AsBytes(Tokens.AsSpan())];
        Refuse([.. "GGUF"u8, .. rest], "a GGUF model");
        Refuse([.. "PK\u0003\u0004"u8, .. rest], "a ZIP archive, as PyTorch writes weights");
        Refuse([.. BitConverter.GetBytes(400L), .. "{\"a\":{}}"u8, .. rest], "a safetensors file");
        Refuse([0x80, 2, (byte)'}', .. rest, (byte)'.'], "a pickle of Python");
        Refuse([0x80, 4, 0x95, .. rest, (byte)'.'], "a pickle of Python");
        Refuse([0x93, .. "NUMPY"u8, .. rest], "a NumPy array");
        Refuse([0x7F, .. "ELF"u8, .. rest], "a program");
        Refuse([0x1F, 0x8B, 8, 0, .. rest], "compressed by gzip");
        Refuse([.. "PAR1"u8, .. rest], "a Parquet file");
        Refuse([.. System.Text.Encoding.ASCII.GetBytes(new string('x', 999) + "\n" + new string('y', 1000))],
            "this is text");
    }

    private static int[] Read(MappedTokens mapped)
    {
        var read = new int[mapped.Count];
        mapped.Read(0, read);
        return read;
    }

    private static void Refuse(byte[] bytes, params string[] parts)
    {
        using var folder = new TemporaryFolder();
        UserError.Expect(() => BinFile.Map(folder.Write("a.bin", bytes), 200_000), ["a.bin: ", .. parts]);
    }

    private static byte[] Header(int magic, int version, int count)
    {
        var header = new int[256];
        (header[0], header[1], header[2]) = (magic, version, count);
        return [.. MemoryMarshal.AsBytes(header.AsSpan())];
    }
}
