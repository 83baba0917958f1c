using TinyLlm.Kernels;
using Xunit;

namespace TinyLlm.Tests.Kernels;

public sealed class ArenaTests : IDisposable
{
    private readonly Backend backend = Backend.Create("cpu", 1);

    public void Dispose() => backend.Dispose();

    [Fact]
    public void Tensors_AreAlignedZeroedAndApart()
    {
        using var arena = new Arena(backend, "test");
        Tensor a = arena.Add("a", (3, 5)), b = arena.Add("b", 33, DType.I32), c = arena.Add("c", (1, 1));
        Assert.Equal(256 + 256 + 256, arena.Bytes);
        Assert.Equal([0, 64, 128], [a.Offset, b.Offset, c.Offset]);
        arena.Allocate();

        var all = new float[129];
        backend.Read(arena.Range(a, c), all);
        Assert.All(all, v => Assert.Equal(0, v));
        Assert.Throws<InvalidOperationException>(() => arena.Add("d", 1));
    }

    [Fact]
    public void APlanOverAnothersMemory_TakesNoneOfItsOwn()
    {
        using var memory = new Arena(backend, "test");
        Tensor whole = memory.Add("whole", 200);
        memory.Allocate();
        using (var plan = new Arena(memory))
        {
            Tensor first = plan.Add("first", 3), second = plan.Add("second", (2, 5));
            plan.Allocate();
            backend.Write(first, [1f, 2, 3]);
            backend.Write(second, [.. Enumerable.Range(10, 10).Select(i => (float)i)]);
        }

        var all = new float[200];
        backend.Read(whole, all);
        Assert.Equal([1, 2, 3], all[..3]);
        Assert.Equal([10, 11, 12], all[64..67]);

        using var large = new Arena(memory);
        large.Add("too large", 300);
        Assert.Throws<InvalidOperationException>(large.Allocate);
    }

    [Fact]
    public void TypeThatTheBackendLacks_IsRefusedWhenItIsPlanned()
    {
        using var arena = new Arena(backend, "activations");
        Assert.Equal("activations: x is BF16, which --device cpu cannot compute with; use --precision fp32.",
            Assert.Throws<TinyLlmException>(() => arena.Add("x", 3, DType.BF16)).Message);
    }

    [Fact]
    public void WriteAndRead_RoundTripAndCheckTheirSizes()
    {
        using var arena = new Arena(backend, "test");
        Tensor x = arena.Add("x", (2, 3)), ids = arena.Add("ids", 3, DType.I32);
        arena.Allocate();

        var back = new float[6];
        backend.Write(x, [1f, 2, 3, 4, 5, 6]);
        backend.Read(x, back);
        Assert.Equal([1, 2, 3, 4, 5, 6], back);
        Assert.Throws<ArgumentException>(() => backend.Write(x, new float[5]));
        Assert.Throws<ArgumentException>(() => backend.Write(x, new int[6]));
        Assert.Throws<ArgumentException>(() => backend.Write(ids, new float[3]));
        Assert.Throws<ArgumentException>(() => backend.Read(x, new float[7]));
        Assert.Throws<ArgumentException>(() => backend.Read(x.Slice(1, 0, 2), new float[4]));
    }

    [Fact]
    public void Describe_ListsTheLargestFirst()
    {
        using var arena = new Arena(backend, "activations");
        arena.Add("small", (1024, 256));
        arena.Add("large", (1024, 1024));
        Assert.Equal(["activations: 5.0 MiB", "4.00 MiB  F32(1024, 1024)  large", "1.00 MiB  F32(1024, 256)  small"],
            arena.Describe()
            .Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    /// <summary>256 TiB, more than an address space has: refused with the size, not with a crash later.</summary>
    [Fact]
    public void Allocate_OfTooMuchIsAUserError()
    {
        using var arena = new Arena(backend, "test");
        for (int i = 0; i < 65536; i++)
            arena.Add($"x{i}", (1 << 15, 1 << 15));
        Assert.Contains("MiB", Assert.Throws<TinyLlmException>(arena.Allocate).Message);
    }
}
