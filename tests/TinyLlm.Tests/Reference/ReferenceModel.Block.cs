namespace TinyLlm.Tests.Reference;

internal sealed partial class ReferenceModel
{
    // mid = x + attention(norm1(x)), y = mid + mlp(norm2(mid))
    private BlockState BlockForward(int layer, double[] x, Batch batch)
    {
        string name = config.Layer(layer);
        var s = new BlockState { X = x };
        s.Norm1 = Norm(name + (config.IsGpt2 ? "ln_1" : "input_layernorm"), x);
        s.Mid = ReferenceOps.Add(x, Dropout(AttentionForward(layer, s, batch), 2 + 3 * layer));
        s.Norm2 = Norm(name + (config.IsGpt2 ? "ln_2" : "post_attention_layernorm"), s.Mid);
        s.Y = ReferenceOps.Add(s.Mid, Dropout(MlpForward(name + "mlp.", s), 3 + 3 * layer));
        return s;
    }

    private double[] BlockBackward(
        int layer, double[] dy, BlockState s, Batch batch, Dictionary<string, double[]> gradients)
    {
        string name = config.Layer(layer);
        var dNorm2 = MlpBackward(name + "mlp.", Dropout(dy, 3 + 3 * layer), s, gradients);
        var dMid = ReferenceOps.Add(
            dy, NormBackward(name + (config.IsGpt2 ? "ln_2" : "post_attention_layernorm"), dNorm2, s.Mid, gradients));
        var dNorm1 = AttentionBackward(layer, Dropout(dMid, 2 + 3 * layer), s, batch, gradients);
        return ReferenceOps.Add(
            dMid, NormBackward(name + (config.IsGpt2 ? "ln_1" : "input_layernorm"), dNorm1, s.X, gradients));
    }

    private double[] AttentionForward(int layer, BlockState s, Batch batch)
    {
        string name = config.Layer(layer) + (config.IsGpt2 ? "attn." : "self_attn.");
        int width = config.Heads * config.HeadSize, kvWidth = config.KvHeads * config.HeadSize;
        if (config.IsGpt2)
        {
            var stacked = Linear(name + "c_attn", s.Norm1, config.Width, 3 * width);
            (s.Q, s.K, s.V) = (Columns(stacked, 0), Columns(stacked, 1), Columns(stacked, 2));
        }
        else
        {
            s.RawQ = Linear(name + "q_proj", s.Norm1, config.Width, width);
            s.RawK = Linear(name + "k_proj", s.Norm1, config.Width, kvWidth);
            s.V = Linear(name + "v_proj", s.Norm1, config.Width, kvWidth);
            s.Q = Rotate(config.HasHeadNorms ? Norm(name + "q_norm", s.RawQ) : s.RawQ, batch, config.Heads);
            s.K = Rotate(config.HasHeadNorms ? Norm(name + "k_norm", s.RawK) : s.RawK, batch, config.KvHeads);
        }

        s.Attention = ReferenceOps.Attention(
            s.Q, s.K, s.V, Sizes(batch), starts: batch.Starts, mask: ProbabilityMask(layer, batch)).Output;
        return Linear(name + (config.IsGpt2 ? "c_proj" : "o_proj"), s.Attention, width, config.Width);
    }

    private double[] AttentionBackward(
        int layer, double[] dy, BlockState s, Batch batch, Dictionary<string, double[]> gradients)
    {
        string name = config.Layer(layer) + (config.IsGpt2 ? "attn." : "self_attn.");
        int width = config.Heads * config.HeadSize, kvWidth = config.KvHeads * config.HeadSize;
        var dAttention = LinearBackward(
            name + (config.IsGpt2 ? "c_proj" : "o_proj"), dy, s.Attention, width, config.Width, gradients);
        var (dq, dk, dv) = ReferenceOps.AttentionBackward(
            dAttention, s.Q, s.K, s.V, Sizes(batch), starts: batch.Starts, mask: ProbabilityMask(layer, batch));
        if (config.IsGpt2)
        {
            return LinearBackward(
                name + "c_attn", StackColumns(dq, dk, dv), s.Norm1, config.Width, 3 * width, gradients);
        }

        dq = Rotate(dq, batch, config.Heads, inverse: true);
        dk = Rotate(dk, batch, config.KvHeads, inverse: true);
        if (config.HasHeadNorms)
        {
            dq = NormBackward(name + "q_norm", dq, s.RawQ, gradients);
            dk = NormBackward(name + "k_norm", dk, s.RawK, gradients);
        }

        var dx = LinearBackward(name + "q_proj", dq, s.Norm1, config.Width, width, gradients);
        dx = ReferenceOps.Add(dx, LinearBackward(name + "k_proj", dk, s.Norm1, config.Width, kvWidth, gradients));
        return ReferenceOps.Add(dx, LinearBackward(name + "v_proj", dv, s.Norm1, config.Width, kvWidth, gradients));
    }

    private double[] MlpForward(string name, BlockState s)
    {
        if (config.IsGpt2)
        {
            s.MlpIn = Linear(name + "c_fc", s.Norm2, config.Width, config.MlpWidth);
            s.MlpOut = ReferenceOps.Gelu(s.MlpIn);
            return Linear(name + "c_proj", s.MlpOut, config.MlpWidth, config.Width);
        }

        // Each row holds its gates, then its ups.
        double[] gate = Linear(name + "gate_proj", s.Norm2, config.Width, config.MlpWidth),
            up = Linear(name + "up_proj", s.Norm2, config.Width, config.MlpWidth);
        s.MlpIn = [.. gate.Chunk(config.MlpWidth).Zip(up.Chunk(config.MlpWidth), (g, u) => (double[])[.. g, .. u])
            .SelectMany(row => row)];
        s.MlpOut = ReferenceOps.SwiGlu(s.MlpIn, config.MlpWidth);
        return Linear(name + "down_proj", s.MlpOut, config.MlpWidth, config.Width);
    }

    private double[] MlpBackward(string name, double[] dy, BlockState s, Dictionary<string, double[]> gradients)
    {
        if (config.IsGpt2)
        {
            var dGelu = LinearBackward(name + "c_proj", dy, s.MlpOut, config.MlpWidth, config.Width, gradients);
            return LinearBackward(
                name + "c_fc", ReferenceOps.GeluBackward(dGelu, s.MlpIn), s.Norm2, config.Width, config.MlpWidth,
                gradients);
        }

        var dProduct = LinearBackward(name + "down_proj", dy, s.MlpOut, config.MlpWidth, config.Width, gradients);
        var halves = ReferenceOps.SwiGluBackward(dProduct, s.MlpIn, config.MlpWidth).Chunk(config.MlpWidth).ToArray();
        double[] dGate = [.. halves.Where((_, i) => i % 2 == 0).SelectMany(h => h)],
            dUp = [.. halves.Where((_, i) => i % 2 == 1).SelectMany(h => h)];
        var dx = LinearBackward(name + "gate_proj", dGate, s.Norm2, config.Width, config.MlpWidth, gradients);
        return ReferenceOps.Add(
            dx, LinearBackward(name + "up_proj", dUp, s.Norm2, config.Width, config.MlpWidth, gradients));
    }

    private double[] Rotate(double[] x, Batch batch, int heads, bool inverse = false) =>
        ReferenceOps.Rope(x, batch.Positions, heads, config.HeadSize, config.RopeBase, inverse, config.RopeDivisor);

    private AttentionSizes Sizes(Batch batch) =>
        new(batch.B, batch.T, batch.T, config.Heads, config.KvHeads, config.HeadSize);

    private double[]? ProbabilityMask(int layer, Batch batch) =>
        DropoutMask?.Invoke(1 + 3 * layer, (long)batch.B * config.Heads * batch.T * batch.T);

    // The third number `part` of each row of gpt2's stacked q, k, v.
    private double[] Columns(double[] stacked, int part) =>
        [.. stacked.Chunk(3 * config.Width).SelectMany(row => row.Skip(part * config.Width).Take(config.Width))];

    private double[] StackColumns(double[] q, double[] k, double[] v)
    {
        double[][] qs = [.. q.Chunk(config.Width)], ks = [.. k.Chunk(config.Width)], vs = [.. v.Chunk(config.Width)];
        return [.. qs.SelectMany((row, i) => (double[])[.. row, .. ks[i], .. vs[i]])];
    }

    /// <summary>What the backward pass of a block reads.</summary>
    private sealed class BlockState
    {
        public required double[] X { get; init; }      // (B T, C)
        public double[] Norm1 { get; set; } = [];      // (B T, C)
        public double[] RawQ { get; set; } = [];       // (B T, H D), before norm and rotation
        public double[] RawK { get; set; } = [];       // (B T, Hkv D)
        public double[] Q { get; set; } = [];          // (B T, H D), as attention sees it
        public double[] K { get; set; } = [];          // (B T, Hkv D)
        public double[] V { get; set; } = [];          // (B T, Hkv D)
        public double[] Attention { get; set; } = [];  // (B T, H D)
        public double[] Mid { get; set; } = [];        // (B T, C)
        public double[] Norm2 { get; set; } = [];      // (B T, C)
        public double[] MlpIn { get; set; } = [];      // (B T, F), or (B T, 2F): gates and ups
        public double[] MlpOut { get; set; } = [];     // (B T, F)
        public double[] Y { get; set; } = [];          // (B T, C)
    }
}
