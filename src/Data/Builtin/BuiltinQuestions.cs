namespace TinyLlm.Data;

/// <summary>Makes the question-answer chats of a split.</summary>
internal static class BuiltinQuestions
{
    // Changing any of these changes the chats, and with them every figure that was ever measured on them.
    private const ulong Seed = 0x7175657374;
    private const int HeldOutPerFamily = 20, DrawsPerChat = 2000;

    /// <summary>
    /// The chats of a split, shuffled. No two chats of a family that is held out have the same questions.
    /// </summary>
    public static List<Chat> Generate(Grammar grammar, Split split)
    {
        var chats = new List<Chat>();
        var random = new SplitMix64(SplitMix64.Mix(Seed + (ulong)split));
        var expansion = new GrammarExpansion(grammar);
        foreach (var family in grammar.Documents)
        {
            if (family.TrainOnly && split != Split.Train)
                continue;
            expansion.Random = new SplitMix64(random.Next());
            AddFamily(grammar, family, split, expansion, chats);
        }
        for (int i = chats.Count - 1; i > 0; i--)
        {
            int j = random.Below(i + 1);
            (chats[i], chats[j]) = (chats[j], chats[i]);
        }
        return chats;
    }

    private static void AddFamily(
        Grammar grammar, GrammarDocument family, Split split, GrammarExpansion expansion, List<Chat> chats)
    {
        int count = split == Split.Train ? family.Count : HeldOutPerFamily;
        int made = 0;
        var seen = new HashSet<string>();
        for (long draws = (long)count * DrawsPerChat; made < count; draws--)
        {
            if (draws == 0)
            {
                throw new TinyLlmException($"{grammar.File}: document \"{family.Name}\" has only {made} different "
                    + $"questions in {split}; expected {count}: widen it or lower its count.");
            }

            expansion.Begin(family.Name);
            string key = DrawKey(family, expansion);
            if (!family.TrainOnly && BuiltinData.SplitOf(key) != split)
                continue;
            var chat = Ask(family, key, expansion);

            // Closed facts are few, so they come again and again; a second copy of anything else would teach nothing.
            if (!family.TrainOnly && !seen.Add(string.Join('\n', chat.Turns.Select(turn => turn.Question))))
                continue;
            chats.Add(chat);
            made++;
        }
    }

    // Sorted, so that the same facts told in another order have the same key.
    private static string DrawKey(GrammarDocument family, GrammarExpansion expansion)
    {
        if (family.Given.Count > 0)
            return BuiltinSums.Draw(family.Name, expansion);

        string[] parts = [.. family.Key.Select(expansion.Expand)];
        Array.Sort(parts, string.CompareOrdinal);
        return $"{family.Name}: {string.Join(" + ", parts)}";
    }

    private static Chat Ask(GrammarDocument family, string key, GrammarExpansion expansion)
    {
        if (family.Let is not null)
            expansion.Expand(family.Let);
        string context = family.Text is null ? "" : expansion.Expand(family.Text) + " ";
        var ask = family.Asks[expansion.Random.Below(family.Asks.Count)];
        var turns = new Turn[ask.Count / 2];
        for (int i = 0; i < turns.Length; i++)
        {
            string question = expansion.Expand(ask[2 * i]);
            turns[i] = new Turn(i == 0 ? context + question : question, expansion.Expand(ask[2 * i + 1]));
        }
        return new Chat(family.Name, key, turns);
    }
}
