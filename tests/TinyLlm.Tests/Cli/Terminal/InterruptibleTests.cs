using TinyLlm.Cli.Terminal;
using Xunit;

namespace TinyLlm.Tests.Cli.Terminal;

/// <summary>Work that is waited for no longer than it is wanted.</summary>
public class InterruptibleTests
{
    [Fact]
    public void Work_GivesItsResult_OrItsException()
    {
        Assert.Equal(3, Interruptible.Run(() => 3, TestContext.Current.CancellationToken));
        Assert.Equal("x",
            Assert.Throws<TinyLlmException>(
                () => Interruptible.Run<int>(
                    () => throw new TinyLlmException("x"), TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void WorkThatNeverEnds_IsLeft()
    {
        using var never = new ManualResetEventSlim();
        using var stop = new CancellationTokenSource(20);
        Assert.ThrowsAny<OperationCanceledException>(() => Interruptible.Run(() =>
        {
            never.Wait(TestContext.Current.CancellationToken);
            return 0;
        }, stop.Token));
        never.Set();
    }
}
