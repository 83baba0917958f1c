using System.Security.Cryptography;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Tokens;

/// <summary>A folder that a <see cref="Preparation"/> completed, mapped.</summary>
public sealed class PreparedTokens : ITokens, IDisposable
{
    private readonly List<MappedTokens> shards = [];
    private readonly TokenParts all;

    private PreparedTokens(string folder, PreparedManifest manifest)
    {
        (Documents, TextBytes) = (manifest.Documents, manifest.TextBytes);
        foreach (var shard in manifest.Shards)
        {
            string path = Path.Combine(folder, shard.File);
            var header = TokenShard.ReadHeader(path);
            if (Convert.ToHexStringLower(header.TokenizerHash) != manifest.TokenizerHash
                || Convert.ToHexStringLower(header.Checksum) != shard.Checksum)
            {
                throw new TinyLlmException($"{path}: the shard is of another preparation than "
                    + $"{PreparedManifest.FileName} beside it. Remove the folder and prepare the data again.");
            }

            TokenShard.Verify(path, header);
            shards.Add(TokenShard.Map(path, header));
        }

        all = new TokenParts(shards);
    }

    /// <inheritdoc/>
    public long Count => all.Count;

    /// <summary>Number of documents.</summary>
    public long Documents { get; }

    /// <summary>Bytes of the text that was encoded.</summary>
    public long TextBytes { get; }

    /// <summary>Whether a folder holds prepared tokens, complete or not.</summary>
    public static bool Is(string folder) =>
        File.Exists(Path.Combine(folder, PreparedManifest.FileName))
            || File.Exists(Path.Combine(folder, PreparedManifest.UnfinishedName));

    /// <summary>Opens a folder; all of its tokens are read once, for their checksums.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="tokenizer">The tokenizer that the model has.</param>
    /// <exception cref="TinyLlmException">The folder is not complete, damaged, of another version, or of another
    /// tokenizer.</exception>
    public static PreparedTokens Open(string folder, Tokenizer tokenizer)
    {
        var manifest = PreparedManifest.Load(folder, PreparedManifest.FileName) ?? throw new TinyLlmException(
            $"{folder}: there is no {PreparedManifest.FileName}; its preparation was not finished. Run the same "
            + "`tinyllm tokenize` again: it goes on where it was.");
        if (manifest.TokenizerHash != tokenizer.Hash)
        {
            throw new TinyLlmException(
                $"{folder} was prepared with another tokenizer (SHA-256 "
                + $"{manifest.TokenizerHash[..Math.Min(12, manifest.TokenizerHash.Length)]}...) than the model has "
                + $"({tokenizer.Hash[..12]}...). Give --tokenizer {folder}, or prepare the text again.");
        }

        var tokens = new PreparedTokens(folder, manifest);
        return tokens.Count == manifest.Tokens
            ? tokens
            : throw new TinyLlmException($"{folder}: its shards have {tokens.Count:N0} tokens; expected "
                + $"{manifest.Tokens:N0}. Remove the folder and prepare the data again.");
    }

    /// <inheritdoc/>
    public void Read(long start, Span<int> destination) => all.Read(start, destination);

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash) => all.AddTo(hash);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shard in shards)
            shard.Dispose();
    }
}
