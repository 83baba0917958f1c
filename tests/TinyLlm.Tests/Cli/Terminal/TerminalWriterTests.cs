using TinyLlm.Cli.Terminal;
using Xunit;

namespace TinyLlm.Tests.Cli.Terminal;

/// <summary>A terminal that goes away takes nothing with it.</summary>
public class TerminalWriterTests
{
    [Fact]
    public void WhatIsWritten_Arrives_UntilTheTerminalIsGone()
    {
        var terminal = new Terminal();
        using var bytes = new TerminalStream(terminal);
        using var text = new TerminalWriter(new StreamWriter(terminal) { AutoFlush = true });
        text.Write('a');
        text.Write("b");
        text.Write(['c', 'd'], 0, 2);
        text.WriteLine("e");
        bytes.Write("f"u8);
        Assert.Equal($"abcde{Environment.NewLine}f", System.Text.Encoding.UTF8.GetString(terminal.ToArray()));

        terminal.IsGone = true;
        text.WriteLine("x");
        text.Flush();
        bytes.Write("x"u8);
        bytes.Flush();
        int tried = terminal.Refused;
        text.Write('x');
        bytes.Write("x"u8);
        Assert.Equal((2, 2), (tried, terminal.Refused)); // it is asked once, not at every line
    }

    private sealed class Terminal : MemoryStream
    {
        public bool IsGone { get; set; }

        public int Refused { get; private set; }

        public override void Write(byte[] buffer, int offset, int count)
        {
            Check();
            base.Write(buffer, offset, count);
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Check();
            base.Write(buffer);
        }

        private void Check()
        {
            Refused += IsGone ? 1 : 0;
            if (IsGone)
                throw new IOException("Input/output error");
        }
    }
}
