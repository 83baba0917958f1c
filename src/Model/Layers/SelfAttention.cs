using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// The attention half of a block: one product gives q, k and v; qwen3 norms q and k head by head; llama and qwen3
/// rotate them by position; attention; the output projection.
/// </summary>
internal sealed class SelfAttention
{
    private readonly Backend backend;
    private readonly GptConfig config;
    private readonly Linear qkv;
    private readonly Norm? queryNorm, keyNorm;
    private readonly int layer;

    public SelfAttention(Backend backend, GptConfig config, ParameterTable table, LoraAdapter? adapter, int layer)
    {
        (this.backend, this.config, this.layer) = (backend, config, layer);
        int c = config.Width, q = config.Heads * config.HeadSize, kv = config.KvHeads * config.HeadSize;
        var normal = Init.Normal(Gpt.InitDeviation);
        var residual = Init.Normal(Gpt.InitDeviation / Math.Sqrt(2 * config.Layers));
        if (config.Architecture == Architecture.Gpt2)
        {
            string gpt2 = $"transformer.h.{layer}.attn.";
            qkv = Gpt2Layer.Linear(backend, table, gpt2 + "c_attn", c, 3 * c, normal, adapter, stackedRows: [c, c, c]);
            Output = Gpt2Layer.Linear(backend, table, gpt2 + "c_proj", c, c, residual, adapter);
            return;
        }

        string name = $"model.layers.{layer}.self_attn.";
        qkv = new Linear(backend, table.Add(name + "qkv_proj.weight", (q + 2 * kv, c), normal, ParameterGroup.Matrix,
        [
            new FilePart(name + "q_proj.weight", 0, q),
            new FilePart(name + "k_proj.weight", q, kv),
            new FilePart(name + "v_proj.weight", q + kv, kv),
        ]), null, adapter);
        Output = new Linear(
            backend, table.Add(name + "o_proj.weight", (c, q), residual, ParameterGroup.Matrix), null, adapter);
        if (config.QueryKeyNorm)
        {
            queryNorm = HeadNorm(name + "q_norm.weight");
            keyNorm = HeadNorm(name + "k_norm.weight");
        }

        Norm HeadNorm(string weight) =>
            new(backend, table.Add(weight, config.HeadSize, Init.Ones, ParameterGroup.Vector), null,
                config.NormEpsilon);
    }

    /// <summary>
    /// The projection of what <see cref="Forward"/> gives into the residual stream, (B, T, H D) to (B, T, C).
    /// </summary>
    public Linear Output { get; }

    /// <summary>x (B, T, C) to what the output projection reads, (B, T, H D).</summary>
    public void Forward(Tensor x, BlockActivations a, ForwardPass pass)
    {
        qkv.Forward(x, a.Qkv);           // (B, T, (H + 2 Hkv) D)
        var (q, k, v) = Split(a.Qkv);    // (B, T, H, D), (B, T, Hkv, D), (B, T, Hkv, D), strided
        if (queryNorm is not null)
        {
            queryNorm.Forward(q, a.Q, a.QueryNorm);
            keyNorm!.Forward(k, a.K, a.KeyNorm);
            (q, k) = (a.Q, a.K);
        }

        if (!config.LearnedPositions)
        {
            backend.Rope(q, pass.Positions, pass.RopeTable, q);
            backend.Rope(k, pass.Positions, pass.RopeTable, k);
        }

        if (pass.Cache is { } cache)
        {
            backend.CacheWrite(k, cache.Offsets, cache.Keys[layer]);
            backend.CacheWrite(v, cache.Offsets, cache.Values[layer]);
            (k, v) = (cache.Keys[layer], cache.Values[layer]);
        }

        backend.Attention(q, k, v, a.Attention.SplitLast(config.HeadSize), a.LogSumExp, pass.Mask, Dropout(pass));
    }

    /// <summary>dBranch (B, T, C) to dx (B, T, C), overwritten.</summary>
    public void Backward(Tensor dBranch, Tensor x, BlockActivations a, BlockGradients d, ForwardPass pass, Tensor dx)
    {
        Output.Backward(dBranch, a.Attention, d.Attention, pass);

        var (rawQ, rawK, v) = Split(a.Qkv);
        var (dRawQ, dRawK, dv) = Split(d.Qkv);
        bool normed = queryNorm is not null;
        Tensor q = normed ? a.Q : rawQ, k = normed ? a.K : rawK, dq = normed ? d.Q : dRawQ, dk = normed ? d.K : dRawK;
        backend.AttentionBackward(
            d.Attention.SplitLast(config.HeadSize), q, k, v, a.Attention.SplitLast(config.HeadSize), a.LogSumExp,
            dq, dk, dv, pass.Mask, Dropout(pass));

        if (!config.LearnedPositions)
        {
            backend.RopeBackward(dq, pass.Positions, pass.RopeTable, dq);
            backend.RopeBackward(dk, pass.Positions, pass.RopeTable, dk);
        }

        if (normed)
        {
            queryNorm!.BackwardHeads(dq, rawQ, a.QueryNorm, dRawQ);
            keyNorm!.BackwardHeads(dk, rawK, a.KeyNorm, dRawK);
        }

        qkv.Backward(d.Qkv, x, dx, pass);
    }

    // The heads of q, k and v in one stacked row.
    private (Tensor Q, Tensor K, Tensor V) Split(Tensor stacked)
    {
        var heads = stacked.SplitLast(config.HeadSize); // (B, T, H + 2 Hkv, D)
        int h = config.Heads, kv = config.KvHeads;
        return (heads.Slice(2, 0, h), heads.Slice(2, h, kv), heads.Slice(2, h + kv, kv));
    }

    private AttentionDropout Dropout(ForwardPass pass) => new(pass.Dropout, pass.State, DropoutSite.Attention(layer));
}
