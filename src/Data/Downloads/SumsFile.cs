using System.Text.Json;

namespace TinyLlm.Data.Downloads;

/// <summary>
/// The sums of the files in a data set's folder, as they were seen at the first download or accepted since:
/// <c>.sums.json</c> beside the data. The dot keeps it out of what <c>--data FOLDER</c> reads.
/// </summary>
internal sealed class SumsFile
{
    /// <summary>Its name.</summary>
    public const string Name = ".sums.json";

    private static readonly JsonSerializerOptions Form =
        new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly string path;
    private readonly SortedDictionary<string, SeenFile> files;

    private SumsFile(string path, SortedDictionary<string, SeenFile> files) => (this.path, this.files) = (path, files);

    /// <summary>Reads the sums of a folder; none where there is no such file.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, or is not what this class writes.</exception>
    public static SumsFile Load(string folder)
    {
        string path = Path.Combine(folder, Name);
        if (!File.Exists(path))
            return new SumsFile(path, new SortedDictionary<string, SeenFile>(StringComparer.Ordinal));
        try
        {
            var files = JsonSerializer.Deserialize<SortedDictionary<string, SeenFile>>(File.ReadAllBytes(path), Form)
                ?? throw new JsonException("null");
            return new SumsFile(path, new SortedDictionary<string, SeenFile>(files, StringComparer.Ordinal));
        }
        catch (JsonException exception)
        {
            throw new TinyLlmException($"{path}: no valid list of sums; expected what tinyllm data get wrote. Remove "
                + "it, and the sums are taken from the files anew.", exception);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }

    /// <summary>The sum that a file from this address has had; null where none was seen.</summary>
    public string? Find(string file, string url) =>
        files.TryGetValue(file, out var seen) && seen.Url == url ? seen.Sha256 : null;

    /// <summary>Keeps a file's sum; written at once.</summary>
    public void Keep(string file, string url, long bytes, string sum)
    {
        var seen = new SeenFile(url, bytes, sum);
        if (files.TryGetValue(file, out var before) && before == seen)
            return;
        files[file] = seen;
        AtomicFile.WriteText(path, JsonSerializer.Serialize(files, Form) + "\n");
    }

    private sealed record SeenFile(string Url, long Bytes, string Sha256);
}
