using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels;

public sealed class PhiloxTests
{
    /// <summary>The vectors that the authors publish with Random123: counter, key, result.</summary>
    public static TheoryData<uint[], uint[], uint[]> KnownAnswers => new()
    {
        { [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
        { [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff],
        [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd] },
        { [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1] },
    };

    [Theory]
    [MemberData(nameof(KnownAnswers))]
    public void Next_GivesThePublishedWords(uint[] counter, uint[] key, uint[] expected) =>
        Assert.Equal(expected, Next(counter, key));

    [Theory]
    [MemberData(nameof(KnownAnswers))]
    public void Reference_GivesThePublishedWords(uint[] counter, uint[] key, uint[] expected) =>
        Assert.Equal(expected, ReferencePhilox.Next(counter, key));

    [Fact]
    public void Next_MatchesReference()
    {
        var values = new RandomValues(1);
        for (int i = 0; i < 1000; i++)
        {
            var words = values.Integers(6, int.MinValue, int.MaxValue).Select(w => (uint)w).ToArray();
            Assert.Equal(ReferencePhilox.Next(words[..4], words[4..]), Next(words[..4], words[4..]));
        }
    }

    private static uint[] Next(uint[] counter, uint[] key)
    {
        uint x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
        Philox.Next(ref x0, ref x1, ref x2, ref x3, key[0], key[1]);
        return [x0, x1, x2, x3];
    }
}
