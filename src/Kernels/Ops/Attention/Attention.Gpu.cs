using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void AttentionCore(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
    {
        if (TryTensorCores(q, k, v, output, logSumExp, mask, dropout))
            return;
        if (q.DType == DType.BF16)
            Attention<BFloat16>(q, k, v, output, logSumExp, mask, dropout);
        else
            Attention<Float32>(q, k, v, output, logSumExp, mask, dropout);
    }

    private protected override void AttentionBackwardCore(
        Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp,
        Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout)
    {
        if (TryTensorCores(dOutput, q, k, v, output, logSumExp, dq, dk, dv, mask, dropout))
            return;
        if (q.DType == DType.BF16)
            AttentionBackward<BFloat16>(dOutput, q, k, v, output, logSumExp, dq, dk, dv, mask, dropout);
        else
            AttentionBackward<Float32>(dOutput, q, k, v, output, logSumExp, dq, dk, dv, mask, dropout);
    }

    private void Attention<T>(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
        where T : unmanaged, IElement<T>
    {
        var layout = new AttentionLayout(q, k, v, output);
        var rules = Rules(q, k, mask, dropout);
        int heads = q.Shape[0] * layout.Heads;
        if (layout.Queries <= MaxSingleQueries && layout.HeadSize <= GroupSize)
        {
            Launch(new KernelConfig(heads * layout.Queries, GroupSize), SingleQueryKernel,
                View<T>(q), View<T>(k), View<T>(v), View<T>(output), Floats(logSumExp), layout, rules);
        }
        else
        {
            Launch(new KernelConfig(heads * AttentionTiles(layout.Queries, layout), GroupSize), AttentionKernel,
                View<T>(q), View<T>(k), View<T>(v), View<T>(output), Floats(logSumExp), layout, rules);
        }
    }

    private void AttentionBackward<T>(Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp,
        Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout) where T : unmanaged, IElement<T>
    {
        AttentionLayout layout = new(q, k, v, output), gradients = new(dq, dk, dv, dOutput);
        var rules = Rules(q, k, mask, dropout);
        int rows = output.Shape.Rows, batch = q.Shape[0];
        var delta = Scratch<float>(ScratchRows, rows);
        Launch(new KernelConfig(Items(rows, GroupSize / LanesOfDelta), GroupSize), AttentionDeltaKernel,
            View<T>(dOutput), Rows.Of(dOutput), View<T>(output), Rows.Of(output), delta, rows, layout);
        Launch(new KernelConfig(batch * layout.KeyHeads * AttentionTiles(layout.Keys, layout), GroupSize),
            AttentionKeyGradientKernel,
            View<T>(q), View<T>(k), View<T>(v), View<T>(dOutput), Floats(logSumExp), delta, View<T>(dk), View<T>(dv),
            layout, gradients, rules);
        Launch(new KernelConfig(batch * layout.Heads * AttentionTiles(layout.Queries, layout), GroupSize),
            AttentionQueryGradientKernel,
            View<T>(q), View<T>(k), View<T>(v), View<T>(dOutput), Floats(logSumExp), delta, View<T>(dq), layout,
            gradients, rules);
    }

    private static AttentionRules Rules(Tensor q, Tensor k, AttentionMask mask, AttentionDropout dropout)
    {
        var state = dropout.Probability == 0 ? null : dropout.State;
        long pairs = (long)q.Shape[0] * q.Shape[2] * q.Shape[1] * k.Shape[1];
        return new AttentionRules(
            View<int>(mask.Offsets), View<int>(mask.Starts), View<int>(state),
            new DropoutMask(dropout.Probability, dropout.Site, pairs),
            q.Shape[1], k.Shape[1]);
    }

    // Tiles of the tokens of one head, each as often as the head has 64 columns.
    private static int AttentionTiles(int tokens, AttentionLayout layout) =>
        Items(tokens, AttentionTile) * Items(layout.HeadSize, AttentionTile);

    /// <summary>
    /// The tile that a group works at: some tokens of a head of a row of the batch, and 64 of the columns of what it
    /// makes of them.
    /// </summary>
    private readonly struct AttentionPlace
    {
        /// <param name="tokens">Tokens of a head.</param>
        /// <param name="heads">Heads.</param>
        /// <param name="headSize">D.</param>
        public AttentionPlace(int tokens, int heads, int headSize)
        {
            int columns = (headSize + AttentionTile - 1) / AttentionTile,
                tiles = (tokens + AttentionTile - 1) / AttentionTile;
            int tile = Grid.IdxX / columns, head = tile / tiles;
            Column = Grid.IdxX % columns * AttentionTile;
            Token = tile % tiles * AttentionTile;
            Count = tokens - Token < AttentionTile ? tokens - Token : AttentionTile;
            Head = head % heads;
            Batch = head / heads;
        }

        public int Batch { get; }

        public int Head { get; }

        /// <summary>The first token, and how many there are.</summary>
        public int Token { get; }

        public int Count { get; }

        /// <summary>The first column.</summary>
        public int Column { get; }
    }
}
