namespace TinyLlm.Data;

/// <summary>
/// The families of questions whose answers are computed: draws what a question is about, sets the variables that its
/// document calls <c>given</c>, and returns the key.
/// </summary>
internal static class BuiltinSums
{
    private const int LargestTerm = 30, LargestNumber = 500, LargestCompared = 100;

    private static readonly string[] Ordinals = ["first", "second", "third", "fourth", "fifth"];

    /// <summary>
    /// Draws one question of the family; the key is the same for all its phrasings and for the terms in either order.
    /// </summary>
    public static string Draw(string family, GrammarExpansion e) => family switch
    {
        "add" or "get-more" => Sum(e),
        "subtract" or "give-away" => Difference(e),
        "number-after" or "number-before" => Neighbour(e),
        "compare" => Compare(e),
        "largest-of-three" or "sort-numbers" => Three(e),
        "list-first" or "list-last" or "list-middle" or "list-reverse" or "list-count" or "list-has" => List(e),
        "first-letter" or "last-letter" or "count-letters" => Letters(family, e),
        _ => throw new TinyLlmException($"questions.json: document \"{family}\" has \"given\" but no computation; "
        + "expected a family that BuiltinSums knows."),
    };

    private static string Sum(GrammarExpansion e)
    {
        int a = e.Random.Below(LargestTerm + 1), b = e.Random.Below(LargestTerm + 1);
        Set(e, "a", a);
        Set(e, "b", b);
        Set(e, "c", a + b);
        return $"sum: {Math.Min(a, b)} + {Math.Max(a, b)}";
    }

    private static string Difference(GrammarExpansion e)
    {
        int b = e.Random.Below(LargestTerm + 1), a = b + e.Random.Below(LargestTerm + 1);
        Set(e, "a", a);
        Set(e, "b", b);
        Set(e, "c", a - b);
        return $"difference: {a} - {b}";
    }

    private static string Neighbour(GrammarExpansion e)
    {
        int n = 1 + e.Random.Below(LargestNumber);
        Set(e, "before", n - 1);
        Set(e, "n", n);
        Set(e, "after", n + 1);
        return $"neighbours: {n}";
    }

    private static string Compare(GrammarExpansion e)
    {
        int a = e.Random.Below(LargestCompared), b = (a + 1 + e.Random.Below(LargestCompared - 1)) % LargestCompared;
        Set(e, "a", a);
        Set(e, "b", b);
        Set(e, "larger", Math.Max(a, b));
        Set(e, "smaller", Math.Min(a, b));
        return $"compare: {Math.Min(a, b)} + {Math.Max(a, b)}";
    }

    private static string Three(GrammarExpansion e)
    {
        var numbers = new List<int>();
        while (numbers.Count < 3)
        {
            int n = e.Random.Below(LargestCompared);
            if (!numbers.Contains(n))
                numbers.Add(n);
        }
        int[] sorted = [.. numbers.Order()];
        e.Set("list", string.Join(", ", numbers));
        e.Set("sorted", string.Join(", ", sorted));
        Set(e, "smallest", sorted[0]);
        Set(e, "largest", sorted[2]);
        return $"three: {string.Join(" + ", sorted)}";
    }

    private static string List(GrammarExpansion e)
    {
        int count = 3 + e.Random.Below(3);
        var words = new List<string>();
        while (words.Count <= count)
        {
            string word = e.Draw("word");
            if (!words.Contains(word))
                words.Add(word);
        }
        string outside = words[count];
        words.RemoveAt(count);
        bool yes = e.Random.Below(2) == 0;
        int middle = 1 + e.Random.Below(count - 2);
        e.Set("list", string.Join(", ", words));
        e.Set("first", words[0]);
        e.Set("last", words[^1]);
        e.Set("backwards", string.Join(", ", Enumerable.Reverse(words)));
        e.Set("ordinal", Ordinals[middle]);
        e.Set("middle", words[middle]);
        e.Set("asked", yes ? words[e.Random.Below(count)] : outside);
        e.Set("yes", yes ? "Yes" : "No");
        Set(e, "count", count);
        return $"list: {string.Join(" + ", words)}";
    }

    private static string Letters(string family, GrammarExpansion e)
    {
        string word = e.Draw("word");
        e.Set("w", word);
        e.Set("first", $"{char.ToUpperInvariant(word[0])}");
        e.Set("last", $"{char.ToUpperInvariant(word[^1])}");
        Set(e, "count", word.Length);
        return $"{family}: {word}";
    }

    private static void Set(GrammarExpansion e, string name, int value) => e.Set(name, $"{value}");
}
