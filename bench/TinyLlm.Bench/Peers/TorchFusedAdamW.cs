using TinyLlm.Bench.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// PyTorch's fused AdamW, <c>torch.optim.AdamW(..., fused=True)</c>, by way of TorchScript, since TorchSharp has no
/// name for it. It goes over the memory once; TorchSharp's own goes over it eight times and takes memory for what lies
/// between.
/// </summary>
internal sealed class TorchFusedAdamW : IDisposable
{
    private const string Script = """
        def step(weights: List[Tensor], gradients: List[Tensor], m: List[Tensor], v: List[Tensor], steps: List[Tensor],
                 lr: float, beta1: float, beta2: float, eps: float, weight_decay: float):
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(weights, gradients, m, v, [], steps, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
                                weight_decay=weight_decay, amsgrad=False, maximize=False)

        """;

    private readonly jit.CompilationUnit code = jit.compile(Script);
    private readonly Group[] groups;

    // Kept here: an argument made for the call could be collected during it.
    private readonly Scalar lr = Recipe.LearningRate, beta1 = Recipe.Beta1, beta2 = Recipe.Beta2,
        epsilon = Recipe.Epsilon;

    private sealed record Group(Scalar WeightDecay, Parameter[] Weights, Tensor[] M, Tensor[] V, Tensor[] Steps);

    /// <summary>Takes the parameters in groups by their weight decay.</summary>
    public TorchFusedAdamW(IEnumerable<IGrouping<float, Parameter>> parameters) =>
        groups = [.. parameters.Select(group => new Group(group.Key, [.. group],
            [.. group.Select(p => zeros(p.shape))], [.. group.Select(p => zeros(p.shape))],
            [.. group.Select(_ => zeros([]))]))];

    /// <summary>
    /// Updates the weights from their gradients and drops these, so that the next backward pass writes instead of
    /// adding.
    /// </summary>
    public void Step()
    {
        using var scope = NewDisposeScope();
        foreach (var (decay, weights, m, v, steps) in groups)
        {
            Tensor[] gradients = [.. weights.Select(p => p.grad!)];
            code.invoke("step", weights, gradients, m, v, steps, lr, beta1, beta2, epsilon, decay);
            foreach (var p in weights)
                p.grad = null;
        }
    }

    public void Dispose()
    {
        foreach (var tensor in groups.SelectMany(
            group => (IEnumerable<Tensor>)[.. group.M, .. group.V, .. group.Steps]))
            tensor.Dispose();
        code.Dispose();
    }
}
