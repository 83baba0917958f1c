using System.Globalization;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Unicode's normalisation form C: canonically equal spellings of a text become the same one, with letters and marks
/// composed. Qwen's tokenizers put it before everything else.
/// </summary>
/// <remarks>
/// Unicode Standard Annex 15. Our own because <see cref="string.Normalize()"/> returns its input under
/// InvariantGlobalization, which the program needs to run where no ICU library is installed. The data is <c>Nfc.txt</c>
/// (scripts/make-nfc-table).
/// </remarks>
internal static class Nfc
{
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Dictionary<int, int> combiningClasses = [];
    private static readonly Dictionary<int, int[]> decompositions = [];
    private static readonly Dictionary<(int, int), int> compositions = [];
    // Characters that normalised text may not hold, or not behind every other.
    private static readonly HashSet<int> suspects = [];

    static Nfc()
    {
        using var lines = new StreamReader(typeof(Nfc).Assembly.GetManifestResourceStream("Nfc.txt")!, Encoding.ASCII);
        while (lines.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "C":
                    for (int c = Hex(fields[1]); c <= Hex(fields[2]); c++)
                        combiningClasses.Add(c, int.Parse(fields[3], CultureInfo.InvariantCulture));
                    break;
                case "D" or "X":
                    int[] parts = [.. fields[2..].Select(Hex)];
                    decompositions.Add(Hex(fields[1]), parts);
                    if (fields[0] == "D")
                        compositions.Add((parts[0], parts[1]), Hex(fields[1]));
                    else
                        suspects.Add(Hex(fields[1]));
                    break;
            }
        }

        suspects.UnionWith(combiningClasses.Keys);
        suspects.UnionWith(compositions.Keys.Select(pair => pair.Item2));
        suspects.UnionWith(Enumerable.Range(VowelBase, Vowels).Concat(Enumerable.Range(TrailBase + 1, Trails - 1)));
    }

    /// <summary>The normalised text: the given one where it is, as most text is.</summary>
    public static ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text)
    {
        int at = 0;
        while (at < text.Length && text[at] < '\u0300')
            at++;
        foreach (Rune character in text[at..].EnumerateRunes())
        {
            if (character.Value >= 0x300 && suspects.Contains(character.Value))
                return Compose(Decompose(text));
        }

        return text;
    }

    private static int Hex(string field) => int.Parse(field, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static int ClassOf(int character) => combiningClasses.GetValueOrDefault(character);

    /// <summary>The parts of all characters, the marks behind a letter in the order of their classes.</summary>
    private static List<int> Decompose(ReadOnlySpan<char> text)
    {
        var parts = new List<int>(text.Length);
        foreach (Rune character in text.EnumerateRunes())
            Append(character.Value, parts);

        for (int start = 0; start < parts.Count; start++)
        {
            int end = start;
            while (end < parts.Count && ClassOf(parts[end]) > 0)
                end++;
            if (end > start + 1)
            {
                int[] ordered = [.. parts[start..end].OrderBy(ClassOf)]; // which keeps the order of equal ones
                for (int i = start; i < end; i++)
                    parts[i] = ordered[i - start];
            }

            start = end;
        }

        return parts;
    }

    private static void Append(int character, List<int> parts)
    {
        int syllable = character - SyllableBase;
        if (syllable is >= 0 and < Syllables)
        {
            parts.Add(LeadBase + syllable / (Vowels * Trails));
            parts.Add(VowelBase + syllable / Trails % Vowels);
            if (syllable % Trails > 0)
                parts.Add(TrailBase + syllable % Trails);
        }
        else if (decompositions.TryGetValue(character, out int[]? smaller))
        {
            foreach (int part in smaller)
                Append(part, parts);
        }
        else
        {
            parts.Add(character);
        }
    }

    /// <summary>
    /// Joins each character with the letter before it, where no mark of its class or a higher one stands between the
    /// two.
    /// </summary>
    private static string Compose(List<int> parts)
    {
        int starter = -1, lastClass = -1, count = 0; // -1: nothing stands between
        for (int i = 0; i < parts.Count; i++)
        {
            int part = parts[i], current = ClassOf(part);
            if (starter >= 0 && (lastClass < 0 || lastClass < current) && Join(parts[starter], part) is int joined)
            {
                parts[starter] = joined;
                continue;
            }

            parts[count] = part;
            (starter, lastClass) = current == 0 ? (count, -1) : (starter, current);
            count++;
        }

        var text = new StringBuilder(count);
        foreach (int character in parts[..count])
            text.Append(new Rune(character));
        return text.ToString();
    }

    private static int? Join(int first, int second)
    {
        if (first - LeadBase is >= 0 and < Leads && second - VowelBase is >= 0 and < Vowels)
            return SyllableBase + ((first - LeadBase) * Vowels + second - VowelBase) * Trails;
        if (first - SyllableBase is >= 0 and < Syllables && (first - SyllableBase) % Trails == 0
            && second - TrailBase is > 0 and < Trails)
            return first + second - TrailBase;
        return compositions.TryGetValue((first, second), out int joined) ? joined : null;
    }
}
