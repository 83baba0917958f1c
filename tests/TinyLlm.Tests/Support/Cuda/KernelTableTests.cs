using Xunit;

namespace TinyLlm.Tests.Support.Cuda;

public sealed class KernelTableTests
{
    private const string Document = "before\n<!-- kernels -->\nold\n<!-- /kernels -->\nafter\n";

    private static readonly string table = KernelTable.Render(
        "12.3.45",
        [SampleKernels.Named("Fine<BFloat16, Float32>"), SampleKernels.Named("Hopper")],
        (_, target) =>
            new MachineCode(
                Registers: target == CudaTarget.Sm80 ? 40
                : 80, SpillBytes: 0, StackBytes: 0, SharedBytes: 1024, LocalInstructions: 0, Advice: ""));

    [Fact]
    public void Render_WritesARowAKernel()
    {
        Assert.Contains(
            "\n| `SampleKernels.Fine` | BFloat16, Float32 | 128 | 40 | 80 | 1024 | 512 | 48 / 64 | 24 / 64 |\n", table);
        Assert.EndsWith("\n| `SampleKernels.Hopper` |  | 128 |  | 80 | 1024 | 0 |  | 24 / 64 |\n", table);
    }

    [Fact]
    public void Replace_LeavesTheRestOfTheDocument()
    {
        string document = KernelTable.Replace(Document, table);
        Assert.Equal($"before\n<!-- kernels -->\n{table}<!-- /kernels -->\nafter\n", document);
        Assert.Equal(table, KernelTable.In(document));
        Assert.Equal(document, KernelTable.Replace(document, table));
    }

    [Fact]
    public void VersionOf_IsTheTables()
    {
        Assert.Equal("12.3.45", KernelTable.VersionOf(KernelTable.Replace(Document, table)));
        Assert.Null(KernelTable.VersionOf(Document));
    }

    [Theory]
    [InlineData("no marks")]
    [InlineData("<!-- /kernels -->\n<!-- kernels -->\n")]
    public void DocumentWithoutTheMarks_IsRefused(string document) =>
        Assert.Throws<FormatException>(() => KernelTable.Replace(document, table));
}
