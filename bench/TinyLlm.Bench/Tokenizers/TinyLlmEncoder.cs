using TinyLlm.Bench.Timing;
using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>TinyLlm's tokenizer on one thread or more, with an instance for each.</summary>
internal sealed class TinyLlmEncoder : IEncoder
{
    private readonly Tokenizer[] tokenizers;

    public TinyLlmEncoder(string folder, int threads)
    {
        var tokenizer = TokenizerFolder.Load(folder);
        tokenizers = [tokenizer, .. Enumerable.Range(1, threads - 1).Select(_ => tokenizer.ForAnotherThread())];
    }

    public string Name => $"TinyLlm, {tokenizers.Length} thread{(tokenizers.Length == 1 ? "" : "s")}";

    public Encoded Encode(Slice slice)
    {
        var ids = new int[slice.Bytes.Count][];
        double seconds = Together.Seconds(tokenizers.Length, thread =>
        {
            for (int piece = thread; piece < ids.Length; piece += tokenizers.Length)
                ids[piece] = tokenizers[thread].Encode(slice.Bytes[piece]);
        });
        return Encoded.Of(seconds, ids);
    }

    public void Dispose()
    {
    }
}
