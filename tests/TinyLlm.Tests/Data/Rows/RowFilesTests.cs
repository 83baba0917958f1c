using TinyLlm.Data;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data;

/// <summary>Files of rows in folders and by patterns, as finetune takes them.</summary>
public sealed class RowFilesTests
{
    [Fact]
    public void FoldersAndPatterns_AreTheirFilesOfRows_InOrder()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in (string[])["b.jsonl", "a.jsonl", "notes.txt", "c.jsonl.gz"])
            folder.Write(name, "{}\n");
        string root = folder["."];

        string[] all = RowFiles.Expand([root]);
        Assert.Equal(["a.jsonl", "b.jsonl", "c.jsonl.gz"], all.Select(Path.GetFileName));
        Assert.Equal(["a.jsonl", "b.jsonl"], RowFiles.Expand([folder["*.jsonl"]]).Select(Path.GetFileName));

        // Of JSON files in a folder those that begin with a row; what a pattern names is taken as it is.
        folder.Write("info.json", "{\"splits\": []}");
        folder.Write("more.json", "[{\"question\": \"a\", \"answer\": \"b\"}]");
        folder.Write("table.parquet", "whatever");
        Assert.Equal(["a.jsonl", "b.jsonl", "c.jsonl.gz", "more.json", "table.parquet"],
            RowFiles.Expand([root]).Select(Path.GetFileName));
        Assert.Equal(["info.json", "more.json"], RowFiles.Expand([folder["*.json"]]).Select(Path.GetFileName));

        // Words for one thing are left as they are, also where there is no such file: who reads it says so.
        string[] single = ["builtin:questions", folder["b.jsonl"], folder["missing.jsonl"]];
        Assert.Equal(single, RowFiles.Expand(single));

        UserError.Expect(() => RowFiles.Expand([folder["*.txt"]]), "*.txt", "there are no rows");
        UserError.Expect(() => RowFiles.Expand([folder["*.csv"]]), "*.csv", "no file matches");
    }
}
