using System.CommandLine;
using TinyLlm.Cli;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Values that a resumed run reads from its checkpoint.</summary>
public class OptionReaderTests
{
    private readonly Option<double> rate = new("--lr");
    private readonly Option<int> steps = new("--steps");
    private readonly Option<bool> force = new("--force");

    [Theory]
    [InlineData("0.002", 0.002)]
    [InlineData("5E-05", 5e-5)] // as earlier versions wrote it
    [InlineData("5e-5", 5e-5)]
    public void ASavedNumber_IsRead(string text, double expected) =>
        Assert.Equal(expected, Reader("--lr", text).Fixed(rate, 1));

    [Theory]
    [InlineData("--lr", "0,002")]
    [InlineData("--lr", "1,000")]
    [InlineData("--lr", " 0.1")]
    [InlineData("--lr", "NaN")]
    [InlineData("--lr", "")]
    [InlineData("--steps", "1,000")]
    [InlineData("--steps", "9e9")]
    [InlineData("--steps", "99999999999")]
    [InlineData("--force", "maybe")]
    public void AnotherForm_IsRefused(string name, string text)
    {
        var reader = Reader(name, text);
        UserError.Expect(() =>
        {
            reader.Fixed(rate, 1);
            reader.Free(steps, 1);
            reader.Fixed(force, false);
        }, "--resume: the checkpoint's trainer.json has", $"\"{text}\" for {name}");
    }

    [Fact]
    public void WhatACheckpointKeeps_IsReadAsTheSameNumber()
    {
        var first = Reader("--none", "");
        foreach (double value in new[] { 0.1 + 0.2, 1e-300, 3.14e20, 5e-5, 0 })
        {
            first.Fixed(rate, value);
            Assert.Equal(value, Reader("--lr", first.Used["--lr"]).Fixed(rate, 1));
        }
    }

    private OptionReader Reader(string name, string value)
    {
        Command command = new("x") { rate, steps, force };
        return new OptionReader(command.Parse([]), new Dictionary<string, string> { [name] = value });
    }
}
