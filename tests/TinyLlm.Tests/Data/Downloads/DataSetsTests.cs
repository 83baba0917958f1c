using System.Security.Cryptography;
using TinyLlm.Data.Downloads;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Downloads;

/// <summary>The table of data sets.</summary>
public sealed class DataSetsTests
{
    public static TheoryData<string> Names => [.. DataSets.All.Select(set => set.Name)];

    [Fact]
    public void Names_AreDistinct_AndInOrder()
    {
        string[] names = [.. DataSets.All.Select(set => set.Name)];
        Assert.Equal(names.Distinct().Order(StringComparer.Ordinal), names);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Set_SaysWhatItIs(string name)
    {
        var set = DataSets.Find(name);
        Assert.Matches("^[a-z0-9-]+$", set.Name);
        Assert.All([set.Description, set.Licence], text => Assert.NotEqual("", text.Trim()));
        Assert.Equal("https", new Uri(set.Page).Scheme);
        Assert.Contains(set.Files, file => file.Split == TinyLlm.Data.Split.Train);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Files_HaveDistinctPlainNames_AndSumsOfTheRightForm(string name)
    {
        var set = DataSets.Find(name);
        string[] names = [.. set.Files.Select(file => file.Name)];
        Assert.Equal(names.Distinct(StringComparer.OrdinalIgnoreCase), names);
        foreach (var file in set.Downloads.Select(download => download.File).Concat(set.Files))
        {
            Assert.Matches("^[A-Za-z0-9][A-Za-z0-9.-]*$", file.Name);
            Assert.True(file.Bytes is null or > 0);
            if (file.Sha256 is not null)
            {
                Assert.Matches("^[0-9a-f]{64}$", file.Sha256);
                Assert.NotNull(file.Bytes);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Addresses_AreEncrypted_AndNameAVersionWhereTheHostHasVersions(string name)
    {
        foreach (var download in DataSets.Find(name).Downloads)
        {
            var url = new Uri(download.Url);
            Assert.Equal("https", url.Scheme);
            if (url.Host is "huggingface.co" or "raw.githubusercontent.com")
                Assert.Matches("/[0-9a-f]{40}/", url.AbsolutePath);
            Assert.Equal(download.Members.Count > 0, url.AbsolutePath.EndsWith(".zip", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Sums_AreDistinct()
    {
        string[] sums = [.. DataSets.All.Where(set => set.Name != "fineweb-edu")
            .SelectMany(set => set.Files.Concat(set.Downloads.Select(d => d.File)).Distinct())
                .Select(file => file.Sha256).OfType<string>()];
        Assert.Equal(sums.Distinct(), sums);
    }

    [Theory]
    [InlineData("tinyshakespeare", "tinyshakespeare.txt")]
    [InlineData("gsm8k", "gsm8k-train.jsonl")]
    public void SizeAndSum_AreThoseOfThePublishedFile(string name, string file)
    {
        string path = Path.Combine(Repository.Root ?? ".", "..", "shared", "data", file);
        Assert.SkipUnless(File.Exists(path), $"{file} is not beside the project.");
        byte[] bytes = File.ReadAllBytes(path);
        var known = Assert.Single(DataSets.Find(name).Files, f => f.Name == file);
        Assert.Equal(known.Bytes, bytes.Length);
        Assert.Equal(known.Sha256, Convert.ToHexStringLower(SHA256.HashData(bytes)));
    }

    [Fact]
    public void Find_NamesTheSets_WhereThereIsNoSuchSet() =>
        UserError.Expect(() => DataSets.Find("tinystory\n"), "\"tinystory \"", "tinyshakespeare, tinystories");

    [Fact]
    public void Bytes_AreTheSumOfTheDownloads_OrUnknown()
    {
        Assert.Equal(28_518_193_415, DataSets.Find("fineweb-edu-10bt").Bytes);
        Assert.Equal(36_445_475, DataSets.Find("enwik8").Bytes);
        Assert.Null(DataSets.Find("tinystories-instruct").Bytes);
    }
}
