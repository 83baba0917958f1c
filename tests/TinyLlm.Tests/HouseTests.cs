using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests;

/// <summary>What holds for all files of the repository.</summary>
public sealed class HouseTests
{
    private const int Columns = 120, FilesOfAFolder = 25;

    private static readonly string[] Extensions = [".cs", ".md", ".csproj", ".props", ".sh"];

    /// <summary>
    /// Lines end at 120 columns. Left out are tables, headings and rows of JSON in documents, and lines of code that a
    /// literal fills which cannot be cut: raw and verbatim strings (rows, patterns, PTX).
    /// </summary>
    [Fact]
    public void Lines_EndAt120Columns()
    {
        var tooLong = Files().SelectMany(path => TooLong(path)).ToList();
        Assert.True(tooLong.Count == 0, $"{tooLong.Count} lines are longer:\n{string.Join('\n', tooLong.Take(60))}");
    }

    /// <summary>A folder is read at a glance.</summary>
    [Fact]
    public void Folders_HaveFewFiles()
    {
        var full = Files().Where(path => path.EndsWith(".cs", StringComparison.Ordinal))
            .GroupBy(path => Path.GetDirectoryName(path)!)
            .Where(folder => folder.Count() > FilesOfAFolder)
            .Select(folder => $"{folder.Count()} files in {folder.Key}")
            .ToList();
        Assert.True(full.Count == 0, string.Join('\n', full));
    }

    /// <summary>Data knows no model and no training, tokenizers know no tensors.</summary>
    [Theory]
    [InlineData("TinyLlm.Tokenizers", "TinyLlm.Base")]
    [InlineData("TinyLlm.Data", "TinyLlm.Base", "TinyLlm.Tokenizers")]
    [InlineData("TinyLlm.Kernels", "TinyLlm.Base")]
    [InlineData("TinyLlm.Model", "TinyLlm.Base", "TinyLlm.Kernels", "TinyLlm.Tokenizers")]
    public void Projects_KnowOnlyThoseBelow(string project, params string[] below)
    {
        var known = System.Reflection.Assembly.Load(project).GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name.StartsWith("TinyLlm", StringComparison.Ordinal)
                || (name.StartsWith("ILGPU", StringComparison.Ordinal) && project != "TinyLlm.Kernels"));
        Assert.Empty(known.Except(below));
    }

    private static IEnumerable<string> TooLong(string path)
    {
        bool isRaw = false, isMarkdown = path.EndsWith(".md", StringComparison.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            bool wasRaw = isRaw, hasRaw = line.Contains("\"\"\"", StringComparison.Ordinal);
            if (hasRaw && line.Split("\"\"\"").Length % 2 == 0)
                isRaw = !isRaw;
            if (line.Length <= Columns || (isMarkdown && line.TrimStart()[0] is ('|' or '#' or '{')))
                continue;
            if (!isMarkdown && (wasRaw || hasRaw || IsFilledByALiteral(line)))
                continue;
            yield return $"{path}:{number}: {line.Length} columns";
        }
    }

    // One literal, with what little stands around it: an attribute of a test, or a pattern.
    private static bool IsFilledByALiteral(string line)
    {
        string text = line.Trim();
        return text.StartsWith("[InlineData(", StringComparison.Ordinal)
            || text.Contains("@\"", StringComparison.Ordinal);
    }

    private static IEnumerable<string> Files()
    {
        string root = Repository.Root ?? throw new InvalidOperationException("There are no sources.");
        return Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Where(path => Extensions.Contains(Path.GetExtension(path)) && !IsMade(Path.GetRelativePath(root, path)));
    }

    // By a build or a run, or what other programs gave.
    private static bool IsMade(string path) => path.Split(Path.DirectorySeparatorChar)
        .Any(part => part is "obj" or "bin" or "Golden" or "runs" or ".git" or "node_modules" or ".mirror");
}
