using System.Runtime.InteropServices;
using TinyLlm.Bench.Timing;
using TinyLlm.Model;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;
using Parameter = TorchSharp.Modules.Parameter;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// GPT-2 in TorchSharp, float32, with libtorch's fused operators (linear with bias, layer_norm, gelu): what a careful
/// user of PyTorch would write. How queries meet keys is the caller's: training and decoding differ in that alone. No
/// dropout.
/// </summary>
internal sealed class TorchGpt : IDisposable
{
    private const double NormEpsilon = 1e-5;

    private readonly ModelSize size;
    private readonly List<Parameter> parameters = [];
    private readonly Embedding embedding; // for its gradient kernel; indexing's is slower
    private readonly Parameter wte, wpe;
    private readonly Block[] blocks;
    private readonly Norm finalNorm;

    /// <summary>Attention of one layer: q, k, v (B, H, T, D) to (B, H, T, D).</summary>
    public delegate Tensor Attend(int layer, Tensor q, Tensor k, Tensor v);

    private sealed record Linear(Parameter Weight, Parameter Bias);

    private sealed record Norm(Parameter Gain, Parameter Bias);

    private sealed record Block(Norm Norm1, Linear Qkv, Linear Out, Norm Norm2, Linear Up, Linear Down);

    /// <summary>Reads the weights from a file with Hugging Face's names.</summary>
    public TorchGpt(ModelSize size, string weights)
    {
        this.size = size;
        using var scope = NewDisposeScope();
        using var file = SafetensorsReader.Open(weights);
        int c = size.Width;
        embedding = nn.Embedding(size.Vocabulary, c);
        wte = embedding.weight!;
        Read(file, "transformer.wte.weight", wte);
        parameters.Add(wte);
        wpe = Add(Read(file, "transformer.wpe.weight", empty(size.Context, c)));
        blocks = [.. Enumerable.Range(0, size.Layers).Select(i => ReadBlock(file, $"transformer.h.{i}."))];
        finalNorm = ReadNorm(file, "transformer.ln_f");
        scope.Detach(parameters);
    }

    /// <summary>All weights, which require gradients.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>
    /// Token ids (B, T) I64, of which the first stand at position <paramref name="first"/>, to hidden states (B, T, C)
    /// behind the final norm.
    /// </summary>
    public Tensor Hidden(Tensor ids, long first, Attend attend)
    {
        long b = ids.shape[0], t = ids.shape[1], h = size.Heads, d = size.Width / size.Heads;
        var x = embedding.forward(ids) + wpe.narrow(0, first, t);
        for (int layer = 0; layer < blocks.Length; layer++)
        {
            var block = blocks[layer];
            // (3, B, H, T, D)
            var qkv = Apply(block.Qkv, Apply(block.Norm1, x)).view(b, t, 3, h, d).permute(2, 0, 3, 1, 4);
            var mixed = attend(layer, qkv[0], qkv[1], qkv[2]);
            x = x + Apply(block.Out, mixed.transpose(1, 2).reshape(b, t, h * d));
            x = x + Apply(block.Down, Apply(block.Up, Apply(block.Norm2, x)).gelu(GELU.Approximate.tanh));
        }

        return Apply(finalNorm, x);
    }

    /// <summary>Hidden states (..., C) to logits (..., V).</summary>
    public Tensor Logits(Tensor hidden) => F.linear(hidden, wte);

    public void Dispose()
    {
        embedding.Dispose();
        foreach (var parameter in parameters)
            parameter.Dispose();
    }

    private Tensor Apply(Norm norm, Tensor x) => F.layer_norm(x, [size.Width], norm.Gain, norm.Bias, NormEpsilon);

    private static Tensor Apply(Linear layer, Tensor x) => F.linear(x, layer.Weight, layer.Bias);

    private Block ReadBlock(SafetensorsReader file, string name)
    {
        int c = size.Width;
        return new Block(
            ReadNorm(file, name + "ln_1"), ReadLinear(file, name + "attn.c_attn", c, 3 * c),
            ReadLinear(file, name + "attn.c_proj", c, c),
            ReadNorm(file, name + "ln_2"), ReadLinear(file, name + "mlp.c_fc", c, 4 * c),
            ReadLinear(file, name + "mlp.c_proj", 4 * c, c));
    }

    private Norm ReadNorm(SafetensorsReader file, string name) =>
        new(Add(Read(file, name + ".weight", empty(size.Width))), Add(Read(file, name + ".bias", empty(size.Width))));

    // GPT-2's files have (in, out); linear takes (out, in).
    private Linear ReadLinear(SafetensorsReader file, string name, int inputs, int outputs) =>
        new(Add(Read(file, name + ".weight", empty(inputs, outputs)).t().contiguous()),
            Add(Read(file, name + ".bias", empty(outputs))));

    private static Tensor Read(SafetensorsReader file, string name, Tensor destination)
    {
        file.Read(name, MemoryMarshal.Cast<byte, float>(destination.bytes));
        return destination;
    }

    private Parameter Add(Tensor value)
    {
        var parameter = new Parameter(value);
        parameters.Add(parameter);
        return parameter;
    }
}
