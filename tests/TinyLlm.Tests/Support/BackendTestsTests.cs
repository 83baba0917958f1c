using TinyLlm.Kernels;
using Xunit;
using Xunit.Sdk;

namespace TinyLlm.Tests.Support;

/// <summary>The checks that the op tests rest on must themselves fail where they should.</summary>
public sealed class BackendTestsTests : BackendTests<Cpu256>
{
    [Theory]
    [InlineData(1.0, 1.00001f)]
    [InlineData(1.0, float.NaN)]
    [InlineData(1.0, float.PositiveInfinity)]
    [InlineData(double.NaN, 1f)]
    [InlineData(double.NaN, float.NaN)]
    [InlineData(0.0, 1e-30f)]
    public void Close_FailsOn(double expected, float actual)
    {
        TestTensor tensor = Of(3, [2, 3, actual]);
        var message =
            Assert.Throws<FailException>(() => Close("y", [2, 3, expected], tensor, expected == 0 ? 0 : 1e-7)).Message;
        Assert.StartsWith("y (3): at [2] expected", message);
        Assert.Contains("seed", message);
    }

    /// <summary>One bad element among many hides in the norm, and is found all the same.</summary>
    [Fact]
    public void Close_FailsOnOneElementAmongMany()
    {
        var values = Enumerable.Repeat(1f, 10000).ToArray();
        values[77] = 1.00001f;
        TestTensor tensor = Of((100, 100), values);
        Assert.Contains(
            "at [0, 77]",
            Assert.Throws<FailException>(
                () => Close("y", Enumerable.Repeat(1.0, 10000).ToArray(), tensor, 1e-6)).Message);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(15)]
    [InlineData(32)]
    public void Run_FailsOnAWriteBesideTheOutput(int place)
    {
        // Of 15 elements: -1 lies in the guard before them, 15 in the gap up to the next 128 bytes, 32 in the guard
        // behind that.
        var tensor = Output((3, 5));
        Tensor view = tensor;
        var beside = new Tensor(view.Storage, view.Offset + place, 1, DType.F32);
        Assert.Throws<FailException>(() => Run(() => Backend.Fill(beside, 1), tensor));
    }

    [Fact]
    public void Run_FailsOnAWriteBetweenTheRowsOfAView()
    {
        TestTensor tensor = Random((3, 5)), view = tensor.Slice(1, 0, 4);
        Run(() => Backend.Fill(((Tensor)tensor).Slice(0, 1, 1).Slice(1, 3, 1), 9), view);
        Assert.Throws<FailException>(
            () => Run(() => Backend.Fill(((Tensor)tensor).Slice(0, 1, 1).Slice(1, 4, 1), 9), view));
    }

    [Fact]
    public void Run_FailsOnAChangedInput()
    {
        TestTensor x = Random(5), ids = Integers(2, 1, 2), y = Output(5);
        Assert.Throws<FailException>(() => Run(() => Backend.Add(x, x, x), y));
        Assert.Throws<FailException>(() => Run(() => Backend.Write(ids, [1, 3]), y));
    }
}
