using System.CommandLine;
using TinyLlm.Cli;
using Xunit;

#pragma warning disable CA2201 // exceptions of the runtime, thrown here in its place

namespace TinyLlm.Tests.Cli;

/// <summary>Whatever a command throws, the user sees one line and a code.</summary>
public class FaultTests
{
    public static readonly TheoryData<Exception, int, string> Thrown = new()
    {
        { new TinyLlmException("a\nb"), 2, "tinyllm: a b" },
        { new IOException("the disk\r\nis gone"), 2, "tinyllm: the disk  is gone" },
        { new UnauthorizedAccessException("Access to the path 'a\u001Bb' is denied."), 2,
            "tinyllm: Access to the path 'a b' is denied." },
        { new OutOfMemoryException("x\ny"), 2, "tinyllm: not enough memory; a smaller --batch-size" },
        { new OperationCanceledException(), 130, "tinyllm: interrupted." },
        { new AggregateException(new TinyLlmException("of a thread"), new IOException("x")), 2,
            "tinyllm: of a thread" },
        { new TypeInitializationException("T", new TinyLlmException("of a type")), 2, "tinyllm: of a type" },
        { new InvalidOperationException("first\nsecond"), 70,
            "tinyllm: InvalidOperationException: first second This is a fault in TinyLlm: please report it" },
        { new IndexOutOfRangeException(), 70, "tinyllm: IndexOutOfRangeException: " },
        { new AggregateException(new AggregateException(new ArgumentException("deep"))), 70,
            "tinyllm: ArgumentException: deep " },
    };

    [Theory]
    [MemberData(nameof(Thrown))]
    public async Task AnException_IsOneLineAndACode(Exception thrown, int code, string start)
    {
        foreach (bool later in new[] { false, true })
        {
            var error = new StringWriter();
            Assert.Equal(code, await CommandRun.RunAsync(Root(thrown, later), ["fail"], error));
            string text = error.ToString();
            Assert.StartsWith(start, text, StringComparison.Ordinal);
            Assert.EndsWith("\n", text, StringComparison.Ordinal);
            Assert.DoesNotContain(text.TrimEnd('\r', '\n'), char.IsControl);
            Assert.Equal(code == 70,
                text.Contains(
                    "report it with the command and this line to the project's issues.", StringComparison.Ordinal));
            Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task WordsThatAreNoCommand_AreOneLine()
    {
        var error = new StringWriter();
        Assert.Equal(1, await CommandRun.RunAsync(CommandTree.Create(), ["pretrain", "--lr", "0,001"], error));
        Assert.StartsWith(
            "tinyllm: --lr 0,001: expected a number such as 0.001. See: ", error.ToString(), StringComparison.Ordinal);
        error = new StringWriter();
        Assert.Equal(1, await CommandRun.RunAsync(CommandTree.Create(), ["pretrain", "--lr", "1\n2\u001B"], error));
        Assert.DoesNotContain(error.ToString().TrimEnd('\r', '\n'), char.IsControl);
        error = new StringWriter();
        Assert.Equal(1,
            await CommandRun.RunAsync(CommandTree.Create(), ["generate", "--model", "m", "--", "--prompt"], error));
        Assert.DoesNotContain("Did you mean", error.ToString(), StringComparison.Ordinal);
    }

    private static RootCommand Root(Exception thrown, bool later)
    {
        var fail = new Command("fail");
        fail.SetAction(async (_, stop) =>
        {
            if (later)
                await Task.Delay(1, stop);
            throw thrown;
        });
        return new RootCommand { fail };
    }
}
