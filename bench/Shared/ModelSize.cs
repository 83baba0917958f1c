namespace TinyLlm.Bench.Timing;

/// <summary>
/// Sizes of a preset and the batch that it is timed with. <c>tiny</c> and <c>small</c> are the two character models of
/// nanoGPT, the second with a batch that two cores finish in a second; <c>base</c> is GPT-2 124M, with a short context
/// for the same reason.
/// </summary>
internal sealed record ModelSize(
    string Name, int Layers, int Heads, int Width, int Context, int BatchSize, int Vocabulary)
{
    public static readonly ModelSize[] All =
    [
        new("tiny", 4, 4, 128, 64, 12, 65),
        new("small", 6, 6, 384, 256, 8, 128),
        new("base", 12, 12, 768, 64, 4, 50304),
    ];

    /// <summary>Tokens in one batch.</summary>
    public int Tokens => BatchSize * Context;

    public static ModelSize Get(string name) => Array.Find(All, size => size.Name == name)!;
}
