using System.Text;
using TinyLlm.Data;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// A large text of natural variety out of a few megabytes of real text: passages in random order, in which some words
/// are replaced by invented ones. Repeating alone would bring no new words, and the number of distinct words is what
/// training takes its time for. The same bytes for the same sources and size.
/// </summary>
internal sealed class MixedText
{
    private const int PassageLines = 12, Seed = 1;

    // An invented word is made of two real ones, by its rank; ranks are drawn so that the r-th is about r times as rare
    // as the first, as with real words. With these figures 100 MB have 425,000 distinct pre-tokens or so.
    private const double InventedShare = 0.10, InventedWords = 2.5e6;

    private readonly string[] lines;
    private readonly string[] words;
    private readonly Random random = new(Seed);

    /// <summary>
    /// Takes the real text from the built-in corpora and from the files of <paramref name="folders"/>: texts, JSON
    /// lines, C# and Markdown.
    /// </summary>
    public MixedText(IEnumerable<string> folders)
    {
        var questions = new StringWriter();
        BuiltinData.WriteQuestions(questions, BuiltinData.Questions(Split.Train));
        lines = [.. BuiltinData.Stories(Split.Train), .. questions.ToString().Split('\n'),
            .. folders.SelectMany(Files).SelectMany(File.ReadLines)];
        words = [.. lines.SelectMany(line => line.Split(' '))
            .Where(word => word.Length >= 4 && word.All(char.IsAsciiLetter)).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>Bytes of real text.</summary>
    public long SourceBytes => lines.Sum(line => Encoding.UTF8.GetByteCount(line) + 1L);

    /// <summary>Writes at least so many bytes.</summary>
    public void Write(string path, long bytes)
    {
        using var writer =
            new StreamWriter(path, append: false, new UTF8Encoding(false), bufferSize: 1 << 20) { NewLine = "\n" };
        var line = new StringBuilder();
        while (writer.BaseStream.Position < bytes)
        {
            int first = random.Next(lines.Length - PassageLines);
            foreach (string real in lines.AsSpan(first, PassageLines))
            {
                line.Clear();
                AppendWithInventedWords(line, real);
                writer.WriteLine(line);
            }
        }
    }

    private static IEnumerable<string> Files(string folder)
    {
        string[] extensions = [".txt", ".jsonl", ".cs", ".md"];
        char separator = Path.DirectorySeparatorChar;
        return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(file => extensions.Contains(Path.GetExtension(file)) && !file.Contains($"{separator}obj{separator}")
            && !file.Contains($"{separator}bin{separator}"))
            .Order(StringComparer.Ordinal);
    }

    private void AppendWithInventedWords(StringBuilder text, string line)
    {
        for (int start = 0, end; start < line.Length; start = end)
        {
            end = start + 1;
            while (end < line.Length && char.IsAsciiLetter(line[end]) == char.IsAsciiLetter(line[start]))
                end++;
            if (end - start >= 3 && char.IsAsciiLetter(line[start]) && random.NextDouble() < InventedShare)
                text.Append(Invented((int)Math.Exp(random.NextDouble() * Math.Log(InventedWords))));
            else
                text.Append(line.AsSpan(start..end));
        }
    }

    // The front half of one word and the back half of another.
    private string Invented(int rank)
    {
        var choice = new Random(rank);
        string front = words[choice.Next(words.Length)], back = words[choice.Next(words.Length)];
        return string.Concat(front.AsSpan(0, (front.Length + 1) / 2), back.AsSpan(back.Length / 2));
    }
}
