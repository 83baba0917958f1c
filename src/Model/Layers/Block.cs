using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// A transformer block with norms before its halves (A. Radford et al., GPT-2, 2019): mid = x + attention(norm1(x)), y
/// = mid + mlp(norm2(mid)).
/// </summary>
internal sealed class Block
{
    private readonly Backend backend;
    private readonly Norm norm1, norm2;
    private readonly SelfAttention attention;
    private readonly Mlp mlp;
    private readonly int layer;

    public Block(Backend backend, GptConfig config, ParameterTable table, LoraAdapter? adapter, int layer)
    {
        (this.backend, this.layer) = (backend, layer);
        bool gpt2 = config.Architecture == Architecture.Gpt2;
        norm1 = gpt2 ? Gpt2Layer.Norm(backend, table, $"transformer.h.{layer}.ln_1", config)
            : RmsNorm("input_layernorm");
        attention = new SelfAttention(backend, config, table, adapter, layer);
        norm2 = gpt2 ? Gpt2Layer.Norm(backend, table, $"transformer.h.{layer}.ln_2", config)
            : RmsNorm("post_attention_layernorm");
        mlp = new Mlp(backend, config, table, adapter, layer);

        Norm RmsNorm(string name) =>
            new(backend,
                table.Add($"model.layers.{layer}.{name}.weight", config.Width, Init.Ones, ParameterGroup.Vector), null,
                config.NormEpsilon);
    }

    /// <summary>x (B, T, C) to y (B, T, C), which may be x itself in inference.</summary>
    public void Forward(Tensor x, BlockActivations a, ForwardPass pass, Tensor y)
    {
        Activate(x, a, pass);
        AddBranch(a.Mid, mlp.Down, a.MlpOut, a, pass, DropoutSite.MlpBranch(layer), y);
    }

    /// <summary>The forward pass up to the MLP's last product: all that the backward pass reads. x (B, T, C).</summary>
    public void Activate(Tensor x, BlockActivations a, ForwardPass pass)
    {
        norm1.Forward(x, a.Norm1Out, a.Norm1);
        attention.Forward(a.Norm1Out, a, pass);
        AddBranch(x, attention.Output, a.Attention, a, pass, DropoutSite.AttentionBranch(layer), a.Mid);

        norm2.Forward(a.Mid, a.Norm2Out, a.Norm2);
        mlp.Activate(a.Norm2Out, a);
    }

    /// <summary>
    /// <paramref name="dResidual"/> (B, T, C) holds dL/dy and becomes dL/dx in place: each half adds its gradient to
    /// what bypasses it.
    /// </summary>
    public void Backward(Tensor x, BlockActivations a, BlockGradients d, ForwardPass pass, Tensor dResidual)
    {
        if (a.OutputsAreShared)
        {
            norm2.Forward(a.Mid, a.Norm2Out, a.Norm2);
            mlp.RecomputeOutput(a);
        }

        var dBranch = BranchGradient(dResidual, d, pass, DropoutSite.MlpBranch(layer));
        mlp.Backward(dBranch, a.Norm2Out, a, d, pass, d.NormOut);
        norm2.BackwardResidual(d.NormOut, a.Mid, a.Norm2, dResidual);

        if (a.OutputsAreShared)
            norm1.Forward(x, a.Norm1Out, a.Norm1);
        dBranch = BranchGradient(dResidual, d, pass, DropoutSite.AttentionBranch(layer));
        attention.Backward(dBranch, a.Norm1Out, a, d, pass, d.NormOut);
        norm1.BackwardResidual(d.NormOut, x, a.Norm1, dResidual);
    }

    // y = residual + dropout(projection of x)
    private void AddBranch(
        Tensor residual, Linear projection, Tensor x, BlockActivations a, ForwardPass pass, int site, Tensor y)
    {
        if (a.Branch is not { } branch)
        {
            projection.ForwardAdd(x, residual, y);
            return;
        }

        projection.Forward(x, branch);
        if (pass.Dropout > 0)
            backend.Dropout(branch, branch, pass.Dropout, pass.State!.Value, site);
        backend.Add(residual, branch, y);
    }

    private Tensor BranchGradient(Tensor dResidual, BlockGradients d, ForwardPass pass, int site)
    {
        if (pass.Dropout == 0)
            return dResidual;
        backend.Dropout(dResidual, d.Branch, pass.Dropout, pass.State!.Value, site);
        return d.Branch;
    }
}

/// <summary>Numbers of the places where dropout is used: each draws from its own stream.</summary>
internal static class DropoutSite
{
    public const int Embedding = 0;

    public static int Attention(int layer) => 1 + 3 * layer;

    public static int AttentionBranch(int layer) => 2 + 3 * layer;

    public static int MlpBranch(int layer) => 3 + 3 * layer;

    public static int Adapter(int layers, int number) => 1 + 3 * layers + number;
}
