using TinyLlm.Kernels;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Training.Data;

/// <summary>Finds the files of rows (JSON lines, compressed or not) that --data words name.</summary>
public static class RowFiles
{
    /// <summary>The words, with folders and patterns replaced by their files of rows, in the ordinal order of their paths.</summary>
    /// <exception cref="TinyLlmException">A folder or pattern has none.</exception>
    public static string[] Expand(IEnumerable<string> words) => [.. words.SelectMany(word => File.Exists(word) || !(Directory.Exists(word) || FileSearch.IsGlob(word)) ? [word] : Find(word))];

    private static IEnumerable<string> Find(string word)
    {
        var files = SourceFiles.Find(word).Where(file => SourceFormat.Of(file).Content == Content.JsonLines).ToList();
        return files.Count > 0 ? files : throw new TinyLlmException($"--data {word}: there are no rows; expected files of JSON lines, .jsonl, also .gz or .zst.");
    }
}
