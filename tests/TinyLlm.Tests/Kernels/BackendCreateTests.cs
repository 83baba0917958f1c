using TinyLlm.Kernels;
using Xunit;

namespace TinyLlm.Tests.Kernels;

public sealed class BackendCreateTests
{
    [Theory]
    [InlineData("cpu", 1, "cpu: 1 thread,")]
    [InlineData("auto", 3, "cpu: 3 threads,")]
    public void Create_OpensTheCpu(string device, int threads, string description)
    {
        using var backend = Backend.Create(device, threads);
        Assert.Equal("cpu", backend.Name);
        Assert.StartsWith(description, backend.Description);
    }

    [Theory]
    [InlineData("tpu", 0, "--device tpu")]
    [InlineData("cpu", -1, "--threads -1")]
    public void Create_NamesTheOptionThatIsWrong(string device, int threads, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<TinyLlmException>(() => Backend.Create(device, threads)).Message);
}
