using Xunit;

namespace TinyLlm.Tests.Kernels;

/// <summary>The one form that numbers have, and the two that they are shown in.</summary>
public class NumberTextTests
{
    /// <summary>Texts that are no number of any type, whatever a country or another program makes of them.</summary>
    public static readonly TheoryData<string> NoNumbers =
    [
        "", " ", "0,001", "1,000", "1.000,5", "1'000", "1_000", "1 000", " 1", "1 ", "\t1", "1\n", "0x10", "0X1F",
            "1e", "1e+", "e5", ".", "-", "+", "--1", "+-1", "1-", "1.2.3", "1e5.5", "1f", "1d",
        "NaN", "nan", "Infinity", "inf", "-Infinity", "\u221E", "1%", "(1)", "$1", "\u0661\u0662", "\uFF11",
            "1\u00A0000", "\u22121", "one", "1e5e5", "0b1", "1\0",
    ];

    [Theory]
    [MemberData(nameof(NoNumbers))]
    public void NoOtherForm_IsANumber(string text)
    {
        Assert.False(NumberText.TryParse(text, out double _), text);
        Assert.False(NumberText.TryParse(text, out float _), text);
        Assert.False(NumberText.TryParse(text, out int _), text);
        Assert.False(NumberText.TryParse(text, out ulong _), text);
    }

    [Theory]
    [InlineData("0.001", 0.001)]
    [InlineData("1e-3", 0.001)]
    [InlineData("1E-03", 0.001)]
    [InlineData("+2.5E+2", 250.0)]
    [InlineData("-5", -5.0)]
    [InlineData(".5", 0.5)]
    [InlineData("5.", 5.0)]
    [InlineData("0", 0.0)]
    [InlineData("0.000", 0.0)]
    [InlineData("0e5", 0.0)]
    [InlineData("1e308", 1e308)]
    [InlineData("00012", 12.0)]
    public void AReal_IsRead(string text, double expected)
    {
        Assert.True(NumberText.TryParse(text, out double value), text);
        Assert.Equal(expected, value);
    }

    [Fact]
    public void WhatATypeDoesNotHold_IsNoneOfIts()
    {
        foreach (string text in new[] { "1e309", "-1e400", "1e-400", "0.1e-500" })
            Assert.False(NumberText.TryParse(text, out double _), text);
        foreach (string text in new[] { "1e39", "1e-50" })
        {
            Assert.False(NumberText.TryParse(text, out float _), text);
            Assert.True(NumberText.TryParse(text, out double _), text);
        }

        foreach (string text in new[] { "2147483648", "-2147483649", "99999999999", "1.0", "1e3" })
            Assert.False(NumberText.TryParse(text, out int _), text);
        foreach (string text in new[] { "-1", "18446744073709551616" })
            Assert.False(NumberText.TryParse(text, out ulong _), text);
        Assert.True(NumberText.TryParse("18446744073709551615", out ulong largest) && largest == ulong.MaxValue);
        Assert.True(NumberText.TryParse("-2147483648", out int smallest) && smallest == int.MinValue);
    }

    [Theory]
    [InlineData(0.004, "0.004")]
    [InlineData(0.003984, "3.98e-3")]
    [InlineData(5.26e-6, "5.26e-6")]
    [InlineData(5.2634e-6, "5.26e-6")]
    [InlineData(2e-4, "2.00e-4")]
    [InlineData(6.7e-4, "6.70e-4")]
    [InlineData(0.025, "0.025")]
    [InlineData(0.03984, "0.0398")]
    [InlineData(0.1, "0.1")]
    [InlineData(0.0, "0")]
    [InlineData(1.0, "1")]
    [InlineData(-0.003984, "-3.98e-3")]
    [InlineData(1e30, "1.00e30")]
    [InlineData(9.999e-4, "0.001")]
    public void Short_HasThreeDigits(double value, string expected) => Assert.Equal(expected, NumberText.Short(value));

    [Theory]
    [InlineData(0.0002, "0.0002")]
    [InlineData(5e-5, "5e-5")]
    [InlineData(1e39, "1e39")]
    [InlineData(0.1 + 0.2, "0.30000000000000004")]
    public void Exact_HasAllDigits_AndIsReadAsItself(double value, string expected)
    {
        Assert.Equal(expected, NumberText.Exact(value));
        Assert.True(NumberText.TryParse(expected, out double read));
        Assert.Equal(value, read);
    }
}
