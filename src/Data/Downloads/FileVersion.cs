using System.Net.Http.Headers;

namespace TinyLlm.Data.Downloads;

/// <summary>Which version of a file a partial download holds, as the server named it.</summary>
/// <param name="Url">The address that was asked.</param>
/// <param name="ETag">The server's strong entity tag, with its quotes; null where it gave none.</param>
/// <param name="LastModified">When the server says that the file changed last; null where it does not.</param>
internal sealed record FileVersion(string Url, string? ETag, DateTimeOffset? LastModified)
{
    /// <summary>What a response says of the version it holds.</summary>
    public static FileVersion Of(Uri url, HttpResponseMessage response) => new(
        url.AbsoluteUri,
        response.Headers.ETag is { IsWeak: false } tag ? tag.Tag : null,
        response.Content.Headers.LastModified);

    /// <summary>
    /// The condition under which a server goes on with this version (RFC 9110, 13.1.5: a weak tag will not do); null
    /// where nothing tells versions apart.
    /// </summary>
    public RangeConditionHeaderValue? IfRange =>
        ETag is not null ? new RangeConditionHeaderValue(new EntityTagHeaderValue(ETag))
        : LastModified is { } date ? new RangeConditionHeaderValue(date)
        : null;

    /// <summary>Whether both may be the same version: nothing that both name differs.</summary>
    public bool MayBe(FileVersion other) =>
        (ETag is null || other.ETag is null || ETag == other.ETag)
        && (LastModified is null || other.LastModified is null || LastModified == other.LastModified);
}
