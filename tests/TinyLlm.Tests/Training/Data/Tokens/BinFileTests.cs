using System.Runtime.InteropServices;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Data.Tokens;
using Xunit;

namespace TinyLlm.Tests.Training.Data.Tokens;

public class BinFileTests
{
    private static readonly ushort[] Tokens = [.. Enumerable.Range(0, 500).Select(i => (ushort)(i * 101 % 50_257))];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tokens_OfOtherTrainers_AreRead(bool llmC)
    {
        using var folder = new TemporaryFolder();
        using var mapped = BinFile.Map(folder.Write("a.bin", [.. llmC ? Header(1, Tokens.Length) : [], .. MemoryMarshal.AsBytes(Tokens.AsSpan())]), 50_257);
        var read = new int[Tokens.Length];
        mapped.Read(0, read);

        Assert.Equal(Tokens.Length, mapped.Count);
        Assert.Equal(Tokens.Select(id => (int)id), read);
    }

    [Fact]
    public void WhatIsWrong_IsSaid()
    {
        using var folder = new TemporaryFolder();
        byte[] tokens = [.. MemoryMarshal.AsBytes(Tokens.AsSpan())];
        Refuse([.. Header(2, Tokens.Length), .. tokens], 50_257, "version 2; expected version 1");
        Refuse([.. Header(1, Tokens.Length + 1), .. tokens], 50_257, "cut short");
        Refuse(tokens[1..], 50_257, "an even number");
        Refuse([], 50_257, "an even number above 0");
        Refuse(tokens, Tokens.Max(), $"token id {Tokens.Max()}; expected ids below {Tokens.Max()}");
        UserError.Expect(() => BinFile.Map(folder["missing.bin"], 10), "missing.bin", "no such file");

        void Refuse(byte[] bytes, int vocabulary, string part) => UserError.Expect(() => BinFile.Map(folder.Write("a.bin", bytes), vocabulary), "a.bin", part);
    }

    private static byte[] Header(int version, int count)
    {
        var header = new int[256];
        (header[0], header[1], header[2]) = (20240520, version, count);
        return [.. MemoryMarshal.AsBytes(header.AsSpan())];
    }
}
