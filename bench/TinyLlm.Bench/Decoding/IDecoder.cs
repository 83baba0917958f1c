namespace TinyLlm.Bench.Decoding;

/// <summary>What one generation took.</summary>
/// <param name="Tokens">The tokens, the likeliest each time.</param>
/// <param name="FirstSeconds">From the start to the first token: the prompt went through the model.</param>
/// <param name="OtherSeconds">From the first token to the last.</param>
internal sealed record Generation(int[] Tokens, double FirstSeconds, double OtherSeconds)
{
    /// <summary>Seconds of each token but the first.</summary>
    public double SecondsPerToken => OtherSeconds / (Tokens.Length - 1);
}

/// <summary>A model that writes on, whoever wrote it.</summary>
internal interface IDecoder : IDisposable
{
    /// <summary>Goes on from a prompt, always with the likeliest token.</summary>
    Generation Generate(int[] prompt, int count);
}
