using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>Finds the files of rows that --data words name.</summary>
public static class RowFiles
{
    /// <summary>What messages call such files.</summary>
    public const string Kinds = ".jsonl, .json or .parquet, each also .gz or .zst";

    // What tells rows from other JSON that lies in the same folder, such as a description of the data.
    private static readonly string[] Tells =
        [RowFields.Messages, RowFields.Prompt, RowFields.Question, RowFields.Instruction, RowFields.Chosen,
            RowFields.Choices];

    /// <summary>
    /// The words, with folders and patterns replaced by their files of rows, in the ordinal order of their paths. Of
    /// .json files in a folder those whose first row is one are taken.
    /// </summary>
    /// <param name="words">The words.</param>
    /// <param name="option">The option that names them, for messages.</param>
    /// <exception cref="TinyLlmException">A folder or pattern has none.</exception>
    public static string[] Expand(IEnumerable<string> words, string option = "--data") =>
        [.. words.SelectMany(word => Expand(word, option))];

    private static IEnumerable<string> Expand(string word, string option)
    {
        if (!Directory.Exists(word) && (File.Exists(word) || !FileSearch.IsGlob(word)))
        {
            SpooledInput.Take(word, CancellationToken.None);
            return [word];
        }

        bool named = FileSearch.IsGlob(word) && Path.GetExtension(word) is { Length: > 1 } extension
            && !FileSearch.IsGlob(extension);
        var files = SourceFiles.Find(word, option).Where(file => IsOfRows(file, named)).ToList();
        return files.Count > 0 ? files
            : throw new TinyLlmException($"{option} {word}: there are no rows; expected files of rows, {Kinds}.");
    }

    private static bool IsOfRows(string file, bool isNamed)
    {
        var format = SourceFormat.Of(file);
        if (format.Content is Content.JsonLines or Content.Parquet)
            return true;
        return format.IsJson && (isNamed || RowFile.FirstNames(file, out _) is { } names && Tells.Any(names.Contains));
    }
}
