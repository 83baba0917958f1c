namespace TinyLlm.Data.Downloads;

/// <summary>The stage that a data set is made for.</summary>
public enum DataUse
{
    /// <summary>Raw text, for <c>tinyllm pretrain</c>.</summary>
    Pretrain,

    /// <summary>Questions with answers, for <c>tinyllm finetune</c>.</summary>
    Finetune,
}

/// <summary>A file of a data set, and what is known of its bytes.</summary>
/// <param name="Name">Its name in the set's folder.</param>
/// <param name="Bytes">Its size in bytes; null where it is not known for certain.</param>
/// <param name="Sha256">SHA-256 of its bytes, 64 lower-case hexadecimal digits; null where it is not known for
/// certain.</param>
/// <param name="Split">The part of the set that it holds.</param>
public sealed record DataFile(string Name, long? Bytes = null, string? Sha256 = null, Split Split = Split.Train);

/// <summary>A file inside a ZIP archive.</summary>
/// <param name="Entry">Its full name in the archive.</param>
/// <param name="File">What it becomes.</param>
public sealed record ZipMember(string Entry, DataFile File);

/// <summary>A file that is downloaded.</summary>
/// <param name="Url">Its address; of a fixed version where the host has versions.</param>
/// <param name="File">What the address gives.</param>
public sealed record RemoteFile(string Url, DataFile File)
{
    /// <summary>What is taken out of it where it is a ZIP archive, which is removed afterwards; else empty.</summary>
    public IReadOnlyList<ZipMember> Members { get; init; } = [];

    /// <summary>The files that stay.</summary>
    public IEnumerable<DataFile> Results => Members.Count == 0 ? [File] : Members.Select(member => member.File);
}

/// <summary>A well-known data set that <c>tinyllm data get</c> fetches.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Description">What it is, in one line.</param>
/// <param name="Licence">The licence that its publisher names.</param>
/// <param name="Page">The page that describes it.</param>
/// <param name="Use">The stage that it is made for.</param>
/// <param name="Downloads">What is downloaded.</param>
public sealed record DataSet(
    string Name, string Description, string Licence, string Page, DataUse Use, IReadOnlyList<RemoteFile> Downloads)
{
    /// <summary>The files that its folder holds.</summary>
    public IEnumerable<DataFile> Files => Downloads.SelectMany(download => download.Results);

    /// <summary>Bytes to download; null where one of them is not known.</summary>
    public long? Bytes => Downloads.Aggregate((long?)0, (sum, download) => sum + download.File.Bytes);
}
