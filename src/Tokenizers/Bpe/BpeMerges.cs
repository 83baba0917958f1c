namespace TinyLlm.Tokenizers;

/// <summary>Merges as files write them, two tokens in the byte-level alphabet.</summary>
internal static class BpeMerges
{
    /// <summary>The ids of each merge's two tokens.</summary>
    /// <param name="merges">The parts of each merge, in the order of their learning.</param>
    /// <param name="ids">The ids of all tokens.</param>
    /// <param name="fail">Makes the refusal of a file.</param>
    /// <exception cref="TinyLlmException">A merge is not of two known tokens that join to a third, or occurs
    /// twice.</exception>
    public static List<(int Left, int Right)> Resolve(
        IEnumerable<string[]> merges, Dictionary<string, int> ids, Func<string, TinyLlmException> fail)
    {
        var result = new List<(int Left, int Right)>();
        var seen = new HashSet<(int, int)>();
        foreach (string[] parts in merges)
        {
            if (parts.Length != 2 || !ids.TryGetValue(parts[0], out int left)
                || !ids.TryGetValue(parts[1], out int right) || !ids.ContainsKey(parts[0] + parts[1]))
            {
                throw fail($"merge {result.Count} is '{JsonView.Show(string.Join(' ', parts))}'; expected two tokens "
                    + "of the vocabulary that join to a third");
            }

            if (!seen.Add((left, right)))
                throw fail($"merge {result.Count}, '{JsonView.Show(string.Join(' ', parts))}', occurs twice");
            result.Add((left, right));
        }

        return result;
    }
}
