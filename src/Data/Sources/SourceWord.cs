namespace TinyLlm.Data.Sources;

/// <summary>One --data word: a name, and a weight if one is given.</summary>
/// <param name="Name">A path, a glob or a built-in corpus.</param>
/// <param name="Weight">What follows the equals sign.</param>
internal readonly record struct SourceWord(string Name, double? Weight)
{
    /// <summary>
    /// Takes a word apart. A file or folder that has the whole word as its name wins; an equals sign inside a path is
    /// no weight.
    /// </summary>
    /// <param name="word">The word.</param>
    /// <param name="option">The option that it belongs to, for messages.</param>
    /// <exception cref="TinyLlmException">The weight is no positive number, or there is no name before it.</exception>
    public static SourceWord Parse(string word, string option)
    {
        int equals = word.LastIndexOf('=');
        if (equals < 0 || word.AsSpan(equals).ContainsAny("/\\*?") || File.Exists(word) || Directory.Exists(word))
            return new SourceWord(word, null);

        string name = word[..equals], weight = word[(equals + 1)..];
        if (name.Length == 0)
            throw new TinyLlmException($"{option} {word}: there is no path before the weight; expected PATH=WEIGHT.");
        if (!NumberText.TryParse(weight, out double value) || !(value > 0))
        {
            throw new TinyLlmException(
                $"{option} {word}: there is no file of that name, and \"{weight}\" is no weight; "
                + $"expected a positive number after the equals sign, as in {name}=0.7.");
        }

        return new SourceWord(name, value);
    }
}
