using TinyLlm.Bench.Timing;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// GPT-2 in TorchSharp, float32, with libtorch's fused operators (linear with bias, layer_norm, gelu, flash attention, cross-entropy) and
/// AdamW: what a careful user of PyTorch would train on a CPU. No dropout.
/// </summary>
internal sealed class TorchGpt : ITrainee
{
    private const double Epsilon = 1e-5, WeightDecay = 0.1;

    private readonly ModelSize size;
    private readonly List<Parameter> parameters = [];
    private readonly Embedding embedding; // for its gradient kernel; indexing's is slower
    private readonly Parameter wte, wpe;
    private readonly Block[] blocks;
    private readonly Norm finalNorm;
    private readonly AdamW optimizer;

    private sealed record Linear(Parameter Weight, Parameter Bias);

    private sealed record Norm(Parameter Gain, Parameter Bias);

    private sealed record Block(Norm Norm1, Linear Qkv, Linear Out, Norm Norm2, Linear Up, Linear Down);

    public TorchGpt(ModelSize size, double learningRate = 1e-3, long seed = 1)
    {
        this.size = size;
        manual_seed(seed);
        int c = size.Width;
        double residual = 0.02 / Math.Sqrt(2 * size.Layers); // GPT-2: each layer adds twice to the residual stream
        embedding = nn.Embedding(size.Vocabulary, c);
        wte = embedding.weight!;
        nn.init.normal_(wte, std: 0.02);
        parameters.Add(wte);
        wpe = Add(randn(size.Context, c) * 0.02);
        blocks = new Block[size.Layers];
        for (int i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new Block(AddNorm(), AddLinear(c, 3 * c, 0.02), AddLinear(c, c, residual),
                AddNorm(), AddLinear(c, 4 * c, 0.02), AddLinear(4 * c, c, residual));
        }

        finalNorm = AddNorm();
        var groups = parameters.GroupBy(p => p.dim() >= 2 ? WeightDecay : 0)
            .Select(group => new AdamW.ParamGroup(group.ToArray(), learningRate, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: group.Key));
        optimizer = optim.AdamW(groups.ToArray(), learningRate);
    }

    public string Name => "libtorch";

    /// <inheritdoc/>
    public float Step(int[] tokens, int[] targets)
    {
        using var scope = NewDisposeScope();
        long b = tokens.Length / size.Context, t = size.Context;
        var ids = tensor(tokens, [b, t]).to(ScalarType.Int64);
        var loss = F.cross_entropy(Forward(ids).view(b * t, -1), tensor(targets).to(ScalarType.Int64));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        return loss.item<float>();
    }

    public void Dispose()
    {
        optimizer.Dispose();
        embedding.Dispose();
        foreach (var parameter in parameters)
            parameter.Dispose();
    }

    private Tensor Forward(Tensor ids) // (B, T)
    {
        long b = ids.shape[0], t = ids.shape[1], h = size.Heads, d = size.Width / size.Heads;
        var x = embedding.forward(ids) + wpe; // (B, T, C)
        foreach (var block in blocks)
        {
            var qkv = Apply(block.Qkv, Apply(block.Norm1, x)).view(b, t, 3, h, d).permute(2, 0, 3, 1, 4); // (3, B, H, T, D)
            var mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_casual: true);
            x = x + Apply(block.Out, mixed.transpose(1, 2).reshape(b, t, h * d));
            x = x + Apply(block.Down, Apply(block.Up, Apply(block.Norm2, x)).gelu(GELU.Approximate.tanh));
        }

        return F.linear(Apply(finalNorm, x), wte); // (B, T, V)
    }

    private Tensor Apply(Norm norm, Tensor x) => F.layer_norm(x, [size.Width], norm.Gain, norm.Bias, Epsilon);

    private static Tensor Apply(Linear layer, Tensor x) => F.linear(x, layer.Weight, layer.Bias);

    private Linear AddLinear(int inputs, int outputs, double std) => new(Add(randn(outputs, inputs) * std), Add(zeros(outputs)));

    private Norm AddNorm() => new(Add(ones(size.Width)), Add(zeros(size.Width)));

    private Parameter Add(Tensor value)
    {
        var parameter = new Parameter(value);
        parameters.Add(parameter);
        return parameter;
    }
}
