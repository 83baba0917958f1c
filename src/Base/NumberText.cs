using System.Globalization;
using System.Numerics;

namespace TinyLlm;

/// <summary>
/// Numbers as people type them and as they are shown: one form in every country, so that none is taken for another.
/// </summary>
public static class NumberText
{
    /// <summary>
    /// Reads a number. A real is an optional sign, ASCII digits with an optional point among or beside them, and an
    /// optional exponent (0.001, 1e-3, .5); an integer is an optional sign and ASCII digits. Nothing else is a number:
    /// no comma (0,001 would be 1), no groups of digits, no hexadecimal form, no space, no NaN, no infinity.
    /// </summary>
    /// <param name="text">All of it must be the number.</param>
    /// <param name="value">The number; 0 where it is false.</param>
    /// <returns>Whether it is a number that the type holds: a real may neither overflow to an infinity nor vanish to
    /// 0.</returns>
    public static bool TryParse<T>(string text, out T value)
        where T : struct, INumber<T>
    {
        value = T.Zero;
        bool whole = IsInteger<T>();
        if (!HasForm(text, whole, out bool isZero))
            return false;
        var style = whole ? NumberStyles.AllowLeadingSign : NumberStyles.Float;
        if (!T.TryParse(text, style, CultureInfo.InvariantCulture, out T parsed))
            return false;
        if (!T.IsFinite(parsed) || (T.IsZero(parsed) && !isZero))
            return false;
        value = parsed;
        return true;
    }

    /// <summary>Whether a text has the form of a real, also where it is too large or too small for any type.</summary>
    public static bool IsReal(string text) => HasForm(text, whole: false, out _);

    /// <summary>Whether a type has no fractions.</summary>
    public static bool IsInteger<T>()
        where T : struct, INumber<T> => T.IsZero(T.One / (T.One + T.One));

    /// <summary>
    /// Three significant digits, for rates and the like: 3.98e-3, 5.20e-6, 0.0251; without zeros at the end where there
    /// is no exponent: 0.004, 0.025.
    /// </summary>
    public static string Short(double value)
    {
        string rounded = value.ToString("E2", CultureInfo.InvariantCulture); // 3.98E-003
        int e = rounded.IndexOf('E');
        if (e < 0)
            return rounded; // no finite number

        int exponent = int.Parse(rounded.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string digits = rounded[..e];
        bool single = digits.EndsWith(".00", StringComparison.Ordinal);
        return exponent is >= -2 and < 6 || (exponent == -3 && single)
            ? ((double)decimal.Parse(rounded, NumberStyles.Float, CultureInfo.InvariantCulture))
                .ToString(CultureInfo.InvariantCulture)
            : $"{digits}e{exponent}";
    }

    /// <summary>
    /// All digits that tell a number from its neighbours, with exponents as <see cref="Short"/> writes them: 0.0002,
    /// 5e-5, 1e39.
    /// </summary>
    public static string Exact<T>(T value)
        where T : INumber<T>
    {
        string text = value.ToString(null, CultureInfo.InvariantCulture); // 5E-05
        int e = text.IndexOf('E');
        if (e < 0)
            return text;
        int exponent = int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return $"{text[..e]}e{exponent}";
    }

    // Whether the whole text has the form, and whether all digits before an exponent are 0.
    private static bool HasForm(ReadOnlySpan<char> text, bool whole, out bool isZero)
    {
        isZero = true;
        int at = Sign(text, 0), digits = Digits(text, ref at, ref isZero);
        if (!whole && at < text.Length && text[at] == '.')
        {
            at++;
            digits += Digits(text, ref at, ref isZero);
        }

        if (digits == 0)
            return false;
        if (!whole && at < text.Length && text[at] is 'e' or 'E')
        {
            bool any = false;
            at = Sign(text, at + 1);
            if (Digits(text, ref at, ref any) == 0)
                return false;
        }

        return at == text.Length;
    }

    private static int Sign(ReadOnlySpan<char> text, int at) =>
        at < text.Length && text[at] is '+' or '-' ? at + 1 : at;

    private static int Digits(ReadOnlySpan<char> text, ref int at, ref bool isZero)
    {
        int start = at;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
            isZero &= text[at] == '0';
        return at - start;
    }
}
