using TinyLlm.Data;

namespace TinyLlm.Tests.Support;

/// <summary>Examples that note which of them were read, in order.</summary>
internal sealed class WatchedExamples(IExamples examples) : IExamples
{
    public List<(long Epoch, long Index)> Places { get; } = [];

    public int Length => examples.Length;

    public long Count => examples.Count;

    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        Places.Add((epoch, index));
        examples.Read(epoch, index, tokens, targets);
    }
}
