using System.Globalization;
using System.Net;

namespace TinyLlm.Data.Downloads;

/// <summary>Why an attempt ended before the file was whole, where another attempt may bring the rest.</summary>
/// <param name="Reason">The reason, as part of a sentence.</param>
/// <param name="Unreachable">Whether the host was not reached at all.</param>
/// <param name="RetryAfter">How long the server asks to wait; null where it does not.</param>
internal sealed record Cut(string Reason, bool Unreachable = false, TimeSpan? RetryAfter = null);

/// <summary>
/// Turns what a server answers and what the network reports into a reason to try again, or one line for the user.
/// </summary>
internal static class DownloadErrors
{
    /// <summary>What an answer without data means: a reason to try again later.</summary>
    /// <exception cref="TinyLlmException">Trying again would not help.</exception>
    public static Cut Refused(Uri url, HttpResponseMessage response, string page, TimeSpan longestWait)
    {
        int status = (int)response.StatusCode;
        if (status is not (408 or 429 or >= 500))
            throw Final(url, response, page);

        TimeSpan? wait = response.Headers.RetryAfter is { } after
            ? after.Delta ?? (after.Date is { } date ? date - DateTimeOffset.UtcNow : null) : null;
        if (wait > longestWait)
        {
            throw new TinyLlmException($"{url}: the server is busy ({Status(status)}) and asks to wait "
                + $"{wait.Value.TotalMinutes.ToString("F0", CultureInfo.InvariantCulture)} minutes; run the same "
                + "command again then.");
        }

        return new Cut(
            $"the server answered {Status(status)}", RetryAfter: wait < TimeSpan.Zero ? TimeSpan.Zero : wait);
    }

    /// <summary>What an exception of the network means: a reason to try again.</summary>
    /// <exception cref="TinyLlmException">Trying again would not help.</exception>
    public static Cut Broken(Uri url, Exception exception) => exception is not HttpRequestException request
        ? new Cut("the connection was cut")
        : request.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => throw new TinyLlmException(
                $"{url}: no secure connection ({Innermost(exception)}); check this machine's clock and certificates, "
                + "and whether a proxy breaks connections open.", exception),
            HttpRequestError.NameResolutionError =>
                new Cut($"the name {url.Host} was not found; check the network connection", Unreachable: true),
            HttpRequestError.ConnectionError =>
                new Cut($"{url.Host} was not reached ({Innermost(exception)}); check the network connection",
                    Unreachable: true),
            HttpRequestError.ProxyTunnelError =>
            new Cut($"the proxy gave no connection to {url.Host} ({Innermost(exception)}); check the proxy's settings",
                Unreachable: true),
            _ => new Cut("the connection was cut"),
        };

    /// <summary>The line for a web page in place of the data.</summary>
    public static TinyLlmException WebPage(Uri url) => new(
        $"{url}: a web page came instead of the file; a network that asks you to sign in, or a proxy, does that. Open "
        + "the address in a browser, sign in where asked, and run again.");

    /// <summary>The line for a download that was tried often enough.</summary>
    public static TinyLlmException GaveUp(Uri url, Cut cut, int attempts, long kept) => new(
        $"{url}: {cut.Reason}; given up after {attempts} attempts without anything new. "
        + (kept > 0 ? $"What came so far ({kept:N0} bytes) is kept: run the same command again to go on."
        : "Run again later, or name a mirror with --url-base."));

    private static TinyLlmException Final(Uri url, HttpResponseMessage response, string page) =>
        new(response.StatusCode switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone =>
                $"{url}: there is no such file ({Status((int)response.StatusCode)}); it may have moved. See {page}, or "
                + "name a mirror with --url-base.",
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.UnavailableForLegalReasons =>
                $"{url}: the server refuses access ({Status((int)response.StatusCode)}); see {page} for its terms, or "
                + "name a mirror with --url-base.",
            >= HttpStatusCode.Ambiguous and < HttpStatusCode.BadRequest =>
                $"{url}: redirected too often or to an address without encryption "
                + $"({Status((int)response.StatusCode)}); see {page}, or name a mirror with --url-base.",
            _ => $"{url}: the server answered {Status((int)response.StatusCode)}; expected the file. See {page}, or "
                + "name a mirror with --url-base.",
        });

    private static string Status(int status) => $"HTTP {status}";

    private static string Innermost(Exception exception) =>
        exception.GetBaseException().Message.ReplaceLineEndings(" ").TrimEnd('.');
}
