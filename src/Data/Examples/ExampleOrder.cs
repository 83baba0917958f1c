namespace TinyLlm.Data;

/// <summary>
/// The order of training: every epoch visits each example once, in an order of its own that is computed from the seed.
/// The place in it is one number, which a checkpoint keeps.
/// </summary>
/// <param name="count">Number of examples.</param>
/// <param name="seed">Seed of the run.</param>
public sealed class ExampleOrder(long count, ulong seed) : IExampleOrder
{
    private long epoch = -1;
    private Permutation? permutation;

    /// <inheritdoc/>
    public (long Epoch, long Index) At(long position)
    {
        if (permutation is null || position / count != epoch)
        {
            epoch = position / count;
            permutation = new Permutation(count, seed, epoch);
        }

        return (epoch, permutation.At(position % count));
    }
}
