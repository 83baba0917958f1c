namespace TinyLlm.Data;

/// <summary>A story and the key that decides its split: the plot and the pair of its main choices.</summary>
internal readonly record struct Story(string Key, string Text);

/// <summary>Makes the stories of a split.</summary>
internal static class BuiltinStories
{
    // Changing any of these changes the corpus, and with it every figure that was ever measured on it.
    private const ulong Seed = 0x73746F72696573;
    private const int TrainCount = 10_000, HeldOutCount = 300;

    /// <summary>
    /// The stories of a split. Each has a random stream of its own, made from the seed, the split and its number.
    /// </summary>
    public static List<Story> Generate(Grammar grammar, Split split)
    {
        int count = split == Split.Train ? TrainCount : HeldOutCount;
        var stories = new List<Story>(count);
        var seen = new HashSet<string>(count);
        var expansion = new GrammarExpansion(grammar);
        for (ulong number = 0; stories.Count < count; number++)
        {
            expansion.Random = new SplitMix64(SplitMix64.Mix(Seed + ((ulong)split << 32) + number));
            var story = Tell(grammar, expansion, split);
            if (seen.Add(story.Text))
                stories.Add(story);
        }
        return stories;
    }

    // The plot is drawn first and kept, so that each plot has the same share in each split.
    private static Story Tell(Grammar grammar, GrammarExpansion expansion, Split split)
    {
        var plot = grammar.Documents[expansion.Random.Below(grammar.Documents.Count)];
        string key;
        do
        {
            expansion.Begin(plot.Name);
            key = $"{plot.Name}: {expansion.Expand(plot.Key[0])}";
        }
        while (BuiltinData.SplitOf(key) != split);

        if (plot.Let is not null)
            expansion.Expand(plot.Let);
        return new Story(key, expansion.Expand(plot.Text!));
    }
}
