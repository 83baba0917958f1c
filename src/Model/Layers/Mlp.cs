using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// The feed-forward half of a block: down(GELU(up(x))) for gpt2, down(silu(gate(x)) * up(x)) for the others.
/// </summary>
internal sealed class Mlp
{
    private readonly Backend backend;
    private readonly Linear up;
    private readonly bool gated;

    public Mlp(Backend backend, GptConfig config, ParameterTable table, LoraAdapter? adapter, int layer)
    {
        this.backend = backend;
        gated = config.Architecture != Architecture.Gpt2;
        int c = config.Width, f = config.MlpWidth;
        var residual = Init.Normal(Gpt.InitDeviation / Math.Sqrt(2 * config.Layers));
        if (gated)
        {
            string name = $"model.layers.{layer}.mlp.";
            up = new Linear(
                backend, table.Add(
                    name + "gate_up_proj.weight", (2 * f, c), Init.Normal(Gpt.InitDeviation), ParameterGroup.Matrix,
                    [new FilePart(name + "gate_proj.weight", 0, f), new FilePart(name + "up_proj.weight", f, f)]), null,
                    adapter);
            Down = new Linear(
                backend, table.Add(name + "down_proj.weight", (c, f), residual, ParameterGroup.Matrix), null, adapter);
        }
        else
        {
            string name = $"transformer.h.{layer}.mlp.";
            up = Gpt2Layer.Linear(backend, table, name + "c_fc", c, f, Init.Normal(Gpt.InitDeviation), adapter);
            Down = Gpt2Layer.Linear(backend, table, name + "c_proj", f, c, residual, adapter);
        }
    }

    /// <summary>
    /// The projection of what <see cref="Activate"/> gives into the residual stream, (B, T, F) to (B, T, C).
    /// </summary>
    public Linear Down { get; }

    /// <summary>x (B, T, C) to what the down projection reads, (B, T, F).</summary>
    public void Activate(Tensor x, BlockActivations a)
    {
        if (gated)
        {
            up.Forward(x, a.MlpIn);  // (B, T, 2F)
            backend.SwiGlu(a.MlpIn, a.MlpOut);
        }
        else
        {
            up.ForwardGelu(x, a.MlpIn, a.MlpOut);
        }
    }

    /// <summary>What the down projection reads, once more from what the up projection gave.</summary>
    public void RecomputeOutput(BlockActivations a)
    {
        if (gated)
            backend.SwiGlu(a.MlpIn, a.MlpOut);
        else
            backend.Gelu(a.MlpIn, a.MlpOut);
    }

    /// <summary>dBranch (B, T, C) to dx (B, T, C), overwritten.</summary>
    public void Backward(Tensor dBranch, Tensor x, BlockActivations a, BlockGradients d, ForwardPass pass, Tensor dx)
    {
        if (gated)
        {
            Down.Backward(dBranch, a.MlpOut, d.MlpOut, pass);
            backend.SwiGluBackward(d.MlpOut, a.MlpIn, d.MlpIn);
        }
        else
        {
            Down.BackwardGelu(dBranch, a.MlpOut, a.MlpIn, d.MlpIn, pass);
        }

        up.Backward(d.MlpIn, x, dx, pass);
    }
}
