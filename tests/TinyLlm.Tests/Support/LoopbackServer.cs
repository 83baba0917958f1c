using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TinyLlm.Tests.Support;

/// <summary>A request that the server got.</summary>
/// <param name="Number">Its number, from 0.</param>
/// <param name="Path">What was asked for.</param>
/// <param name="Headers">Its headers.</param>
public sealed record LoopbackRequest(int Number, string Path, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The first byte that is wanted.</summary>
    public int Start =>
        Headers.TryGetValue("Range", out string? range)
            ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;

    /// <summary>The version under which the rest is wanted.</summary>
    public string? IfRange => Headers.GetValueOrDefault("If-Range");
}

/// <summary>What the server answers, lies included.</summary>
/// <param name="Status">The status.</param>
/// <param name="Body">The body.</param>
public sealed record LoopbackAnswer(int Status, byte[] Body)
{
    /// <summary>Headers besides Content-Length, a line each.</summary>
    public string[] Headers { get; init; } = [];

    /// <summary>The length that it claims; -1: none.</summary>
    public long Length { get; init; } = Body.Length;

    /// <summary>How many bytes of the body it sends.</summary>
    public int Sends { get; init; } = Body.Length;

    /// <summary>The time that it takes for them.</summary>
    public TimeSpan Takes { get; init; }

    /// <summary>Whether it then falls silent with the connection open.</summary>
    public bool Stalls { get; init; }

    /// <summary>Whether it then resets the connection.</summary>
    public bool Resets { get; init; }

    /// <summary>What a good server answers that has this file in this version.</summary>
    public static LoopbackAnswer File(
        LoopbackRequest request, byte[] bytes, string? tag = "\"one\"", string? date = null)
    {
        string[] version = [.. new[] { tag is null ? null : $"ETag: {tag}", date is null ? null
            : $"Last-Modified: {date}" }.OfType<string>()];
        if (request.Start == 0 || (request.IfRange is { } wanted && wanted != tag && wanted != date))
            return new LoopbackAnswer(200, bytes) { Headers = version };
        return request.Start >= bytes.Length
            ? new LoopbackAnswer(416, []) { Headers = [.. version, $"Content-Range: bytes */{bytes.Length}"] }
            : new LoopbackAnswer(
                206, bytes[request.Start..])
            {
                Headers =
                [.. version, $"Content-Range: bytes {request.Start}-{bytes.Length - 1}/{bytes.Length}"]
            };
    }
}

/// <summary>A web server on this machine that answers as a test wants, one request a connection.</summary>
public sealed class LoopbackServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Func<LoopbackRequest, LoopbackAnswer> answer;
    private readonly ConcurrentQueue<LoopbackRequest> requests = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Task loop;

    public LoopbackServer(Func<LoopbackRequest, LoopbackAnswer> answer)
    {
        this.answer = answer;
        listener.Start();
        loop = ListenAsync();
    }

    /// <summary>Its address.</summary>
    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");

    /// <summary>What it was asked so far.</summary>
    public LoopbackRequest[] Requests => [.. requests];

    public void Dispose()
    {
        stop.Cancel();
        listener.Stop();
        loop.Wait(TimeSpan.FromSeconds(10));
        stop.Dispose();
    }

    private async Task ListenAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        try
        {
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            if (await ReadAsync(reader) is not { } request)
                return;
            requests.Enqueue(request);
            var reply = answer(request);
            string length = reply.Length < 0 ? "" : $"Content-Length: {reply.Length}\r\n";
            string headers = string.Concat(reply.Headers.Select(line => line + "\r\n"));
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 {reply.Status} Answer\r\nConnection: close\r\n{length}{headers}\r\n"), stop.Token);
            await SendAsync(stream, reply);
            if (reply.Stalls)
                await Task.Delay(Timeout.Infinite, stop.Token);
            if (reply.Resets)
                client.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client went, or the test ended.
        }
    }

    // A slow answer comes in ten pieces.
    private async Task SendAsync(NetworkStream stream, LoopbackAnswer reply)
    {
        int piece = reply.Takes > TimeSpan.Zero ? Math.Max(1, reply.Sends / 10) : reply.Sends;
        for (int sent = 0; sent < reply.Sends; sent += piece)
        {
            await Task.Delay(reply.Takes / 10, stop.Token);
            await stream.WriteAsync(reply.Body.AsMemory(sent, Math.Min(piece, reply.Sends - sent)), stop.Token);
        }
    }

    private async Task<LoopbackRequest?> ReadAsync(StreamReader reader)
    {
        if (await reader.ReadLineAsync(stop.Token) is not { } first || first.Split(' ') is not ["GET", var path, _])
            return null;
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(stop.Token) is { Length: > 0 } line)
        {
            string[] parts = line.Split(':', 2);
            headers[parts[0]] = parts[1].Trim();
        }

        return new LoopbackRequest(requests.Count, path, headers);
    }
}
