using System.Text.Json;
using System.Text.Json.Serialization;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data.Tokens;

/// <summary>
/// What a folder of prepared tokens says of itself: in <c>prepared.json</c> when it is complete, in
/// <c>preparing.json</c> until then.
/// </summary>
internal sealed record PreparedManifest
{
    /// <summary>The file of a complete folder.</summary>
    public const string FileName = DataSource.PreparedFile;

    /// <summary>The file of a folder that is being prepared: it has no shards yet.</summary>
    public const string UnfinishedName = "preparing.json";

    /// <summary>The version that this program reads and writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>SHA-256 of the tokenizer, in hexadecimal digits.</summary>
    public required string TokenizerHash { get; init; }

    /// <summary>What was prepared: the sources' names.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Identifies the sources' files and how they were read.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Tokens in all.</summary>
    public long Tokens { get; init; }

    /// <summary>Documents in all.</summary>
    public long Documents { get; init; }

    /// <summary>Bytes of text that were encoded.</summary>
    public long TextBytes { get; init; }

    /// <summary>Lines that were left out.</summary>
    public long BadLines { get; init; }

    /// <summary>The shards in the order of the stream, by file name, each with its checksum.</summary>
    public IReadOnlyList<Shard> Shards { get; init; } = [];

    /// <summary>One shard.</summary>
    internal sealed record Shard(string File, long Tokens, string Checksum);

    /// <summary>Writes the manifest into a folder, whole or not at all.</summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public void Save(string folder, string name) =>
        AtomicFile.Write(
            Path.Combine(folder, name), stream =>
                JsonSerializer.Serialize(stream, this, PreparedManifestContext.Default.PreparedManifest));

    /// <summary>Reads a manifest; null where there is none.</summary>
    /// <exception cref="TinyLlmException">It cannot be read, or another version wrote it.</exception>
    public static PreparedManifest? Load(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (!File.Exists(path))
            return null;
        try
        {
            using var file = File.OpenRead(path);
            var manifest = JsonSerializer.Deserialize(file, PreparedManifestContext.Default.PreparedManifest)
                ?? throw new JsonException("it is null");
            return manifest.Version == CurrentVersion
                ? manifest
                : throw new TinyLlmException($"{path}: version {manifest.Version}; expected {CurrentVersion}. Prepare "
                    + "the data again with this program.");
        }
        catch (JsonException e)
        {
            throw new TinyLlmException($"{path}: no valid description of prepared data "
                + $"({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Remove the folder and prepare the "
                + "data again.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(path, e);
        }
    }
}

[JsonSerializable(typeof(PreparedManifest))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class PreparedManifestContext : JsonSerializerContext;
