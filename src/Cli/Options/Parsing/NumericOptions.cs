using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace TinyLlm.Cli.Parsing;

/// <summary>
/// Makes every option that is a number take the one form of <see cref="NumberText"/>. The whole tree of commands is
/// walked, so that a new option cannot be forgotten.
/// </summary>
internal static class NumericOptions
{
    /// <summary>Sets the parsers of a command's numbers and of those of the commands below it.</summary>
    public static void Apply(Command command)
    {
        foreach (var option in command.Options)
            Apply(option);
        foreach (var below in command.Subcommands)
            Apply(below);
    }

    /// <summary>Whether an option's values are numbers.</summary>
    public static bool Is(Option option) => Code(option) is >= TypeCode.SByte and <= TypeCode.Decimal;

    /// <summary>
    /// What was wrong with a number, as the parser and a checkpoint's file say it: --lr 0,001: expected a number such
    /// as 0.001.
    /// </summary>
    public static string Fault<T>(string name, string text)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        string shown = text.Length > 0 && !text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)) ? text
            : $"\"{text.ReplaceLineEndings(" ")}\"";
        return $"{name} {shown}: expected {Expected<T>(text)}.";
    }

    private static void Apply(Option option)
    {
        if (!Is(option))
            return;
        switch (Code(option))
        {
            case TypeCode.Int32:
                Apply<int>(option);
                break;
            case TypeCode.Int64:
                Apply<long>(option);
                break;
            case TypeCode.UInt64:
                Apply<ulong>(option);
                break;
            case TypeCode.Single:
                Apply<float>(option);
                break;
            case TypeCode.Double:
                Apply<double>(option);
                break;
            default:
                throw new NotSupportedException(
                    $"{option.Name}: a {option.ValueType.Name} has no parser; add it here.");
        }
    }

    private static TypeCode Code(Option option) =>
        Type.GetTypeCode(Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType);

    private static void Apply<T>(Option option)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        if (option is Option<T> always)
            always.CustomParser = Parse<T>;
        else if (option is Option<T?> sometimes)
            sometimes.CustomParser = result => Parse<T>(result);
    }

    private static T Parse<T>(ArgumentResult result)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        if (result.Tokens.Count == 0)
            return default; // which the parser refuses by itself
        string text = result.Tokens[^1].Value;
        if (!NumberText.TryParse(text, out T value))
            result.AddError(Fault<T>(((OptionResult)result.Parent!).Option.Name, text));
        return value;
    }

    // Of the powers of ten that the type holds.
    private static int Exponent<T>()
        where T : struct, INumber<T>, IMinMaxValue<T> => (int)Math.Log10(double.CreateSaturating(T.MaxValue));

    // The limits are told only to whom they are news.
    private static string Expected<T>(string text)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        if (!NumberText.IsInteger<T>())
        {
            return NumberText.IsReal(text)
                ? $"a number such as 0.001, of 1e-{Exponent<T>()} to 1e{Exponent<T>()} in size"
                : "a number such as 0.001";
        }

        return BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            ? $"a whole number from {T.MinValue} to {T.MaxValue}"
            : "a whole number such as 100";
    }
}
