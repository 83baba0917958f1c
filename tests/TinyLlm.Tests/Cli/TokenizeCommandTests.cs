using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// <c>tinyllm tokenize</c>, and the options of reading that it shares with pretrain and tokenizer train.
/// </summary>
public class TokenizeCommandTests
{
    private const string Separated = "One.\nMore.\n<|endoftext|>\nTwo.\n<|endoftext|>\n";

    [Fact]
    public void Tokenize_WritesTheTokensOfTheText()
    {
        using var run = new SmallRun();
        var result = run.Succeed("tokenize --data text.txt --tokenizer byte --out tokens");

        long bytes = new FileInfo(run["text.txt"]).Length;
        Assert.StartsWith(
            $"tokens: {bytes + 2:N0} tokens of 1 documents, {bytes:N0} bytes (1.00 bytes a token).", result.Text,
            StringComparison.Ordinal);
        Assert.Contains("pretrain --data tokens", result.Text, StringComparison.Ordinal);
        var tokenizer = new ByteTokenizer();
        Assert.Equal(
            [tokenizer.DocumentStart, .. tokenizer.Encode(File.ReadAllBytes(run["text.txt"])), tokenizer.EndOfText],
            Ids(run, "tokens"));
        string[] names = FolderContent.Of(run["tokens"]).Select(file => file.ToString()!).ToArray();

        // The same command on a finished folder does nothing.
        run.Succeed("tokenize --data text.txt --tokenizer byte --out tokens");
        Assert.Equal(names, FolderContent.Of(run["tokens"]).Select(file => file.ToString()!));
        run.Succeed("pretrain --data tokens --preset tiny --layers 1 --width 32 --heads 2 --threads 1 --context 16 "
            + "--batch-size 2 --steps 1 --out run");
    }

    [Fact]
    public void Tokenize_IntoWhatIsNoPreparation_IsRefused()
    {
        using var run = new SmallRun();
        run.Folder.Write("other.txt", "other text");
        run.Succeed("tokenize --data text.txt --tokenizer byte --out tokens");
        run.Refuse("tokenize --data other.txt --tokenizer byte --out tokens", "tokens was prepared from other files",
            "text.txt", "--out");
        run.Refuse("tokenize --data text.txt --tokenizer cl100k --out tokens", "another tokenizer", "--out");
        run.Refuse("tokenize --data text.txt --tokenizer byte --out .", "not empty", "--out");
        run.Refuse("tokenize --data text.txt=0.5 --tokenizer byte --out more", "text.txt=0.5",
            "one folder has no weights");
        run.Refuse("tokenize --data tokens --tokenizer byte --out more", "tokens already");
    }

    [Fact]
    public void TextField_NamesTheField()
    {
        using var run = new SmallRun();
        run.Folder.Write("a.jsonl", "{\"text\": \"one\", \"body\": \"two\"}\n{\"body\": \"three\"}\n");
        run.Succeed("tokenize --data a.jsonl --tokenizer byte --out texts");
        run.Succeed("tokenize --data a.jsonl --text-field body --tokenizer byte --out bodies");
        SmallRun.CheckRefused(
            run.CommandLine.Run("tokenize --data a.jsonl --text-field title --tokenizer byte --out titles"), 2,
            "a.jsonl", "\"title\"", "text, body", "--text-field");
        run.Refuse("tokenize --data a.jsonl --text-field body --tokenizer byte --out texts",
            "with other options of reading");

        Assert.Equal("one", Decode(run, "texts"));
        Assert.Equal("two|three", Decode(run, "bodies"));
    }

    [Fact]
    public void DocumentSeparator_EndsDocuments()
    {
        using var run = new SmallRun();
        run.Folder.Write("a.txt", Separated);
        run.Succeed("tokenize --data a.txt --tokenizer byte --out whole");
        var result = run.Succeed("tokenize --data a.txt --document-separator <|endoftext|> --tokenizer byte --out cut");
        Assert.Contains(" of 2 documents, ", result.Text, StringComparison.Ordinal);
        Assert.Equal(Separated, Decode(run, "whole"));
        Assert.Equal("One.\nMore.|Two.", Decode(run, "cut"));

        run.Refuse("tokenize --data a.txt --document-separator *** --tokenizer byte --out cut",
            "with other options of reading");
        run.Refuse("tokenize --data a.txt --tokenizer byte --out cut", "with other options of reading");
        Assert.Equal(
            "documents   2",
            run.Succeed("data stats --data a.txt --document-separator <|endoftext|>").Text.Split('\n')[0].TrimEnd());
    }

    [Fact]
    public void DocumentSeparator_IsNoTextOfATokenizer()
    {
        using var run = new SmallRun();
        run.Folder.Write("a.txt", string.Concat(Enumerable.Repeat("aaa\nqqq\n", 50)));
        run.Succeed("tokenizer train --data a.txt --tokenizer char --out whole");
        run.Succeed("tokenizer train --data a.txt --document-separator qqq --tokenizer char --out cut");
        Assert.Contains("\"q\"", File.ReadAllText(run["whole/tokenizer.json"]), StringComparison.Ordinal);
        Assert.DoesNotContain("\"q\"", File.ReadAllText(run["cut/tokenizer.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void DocumentSeparator_IsKeptWithTheRun()
    {
        using var run = new SmallRun();
        run.Folder.Write("a.txt", string.Concat(Enumerable.Repeat(Separated, 50)));
        string common = $"pretrain --data a.txt {SmallRun.Sizes} --context 16 --batch-size 2 --eval-every 0 "
            + "--sample-every 0 --steps 4";
        run.Succeed($"{common} --document-separator <|endoftext|> --out whole");
        run.Succeed($"{common} --document-separator <|endoftext|> --out halves --stop-after 2");
        run.Refuse("pretrain --out halves --resume --document-separator ***",
            "--document-separator *** (the run has <|endoftext|>)");
        run.Succeed("pretrain --out halves --resume");
        Assert.Equal(
            File.ReadAllBytes(run["whole/model.safetensors"]), File.ReadAllBytes(run["halves/model.safetensors"]));

        run.Succeed($"{common} --out other");
        Assert.NotEqual(
            File.ReadAllBytes(run["whole/model.safetensors"]), File.ReadAllBytes(run["other/model.safetensors"]));
    }

    private static int[] Ids(SmallRun run, string folder)
    {
        using var tokens = PreparedTokens.Open(run[folder], new ByteTokenizer());
        int[] ids = new int[tokens.Count];
        tokens.Read(0, ids);
        return ids;
    }

    // The documents, with strokes between them.
    private static string Decode(SmallRun run, string folder)
    {
        var tokenizer = new ByteTokenizer();
        var ids = Ids(run, folder).Where(id => id != tokenizer.DocumentStart || id == tokenizer.EndOfText).ToList();
        var text = ids.Select(
            id => id == tokenizer.EndOfText ? "|" : System.Text.Encoding.UTF8.GetString(tokenizer.Decode([id])));
        return string.Concat(text).Trim('|');
    }
}
