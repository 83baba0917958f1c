using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class NfcTests
{
    // From Unicode Standard Annex 15 and the tables of the standard.
    [Theory]
    [InlineData("plain text\u00E9", "plain text\u00E9")]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("\u212B\u2126", "\u00C5\u03A9")]                                // compatibility letters that are the same as others
    [InlineData("a\u0323\u0307", "\u1EA1\u0307")]                               // in order, the first joins
    [InlineData("a\u0307\u0323", "\u1EA1\u0307")]                               // out of order
    [InlineData("\u1E0A\u0323", "\u1E0C\u0307")]                                // taken apart and joined otherwise
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\u0958\u2ADC", "\u0915\u093C\u2ADD\u0338")]                    // never composed
    [InlineData("\u1100\u1161\u11A8 \u1100\u1161", "\uAC01 \uAC00")]            // Hangul
    [InlineData("\uAC00\u11A8\uAC01\u11A8", "\uAC01\uAC01\u11A8")]
    [InlineData("\u0301e\u0301\u0301", "\u0301\u00E9\u0301")]
    [InlineData("e\u0327\u0301", "\u0229\u0301")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    [InlineData("\U000110A5\U000110BA \U0001D15E", "\U000110AB \U0001D157\U0001D165")]
    [InlineData("\u03B9\u0308\u0301\uF900\U0002F800", "\u0390\u8C48\u4E3D")]
    [InlineData("\uFB01\u00BD\u2460", "\uFB01\u00BD\u2460")]                    // compatibility forms stay
    public void Normalize_GivesFormC(string text, string expected) =>
        Assert.Equal(expected, Nfc.Normalize(text).ToString());

    [Fact]
    public void Normalize_OfNormalText_ChangesNothing()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            string once = Nfc.Normalize(
                Encoding.UTF8.GetString(TextSamples.Random(new Random(seed), 60, withInvalid: false))).ToString();
            Assert.Equal(once, Nfc.Normalize(once).ToString());
        }
    }
}
