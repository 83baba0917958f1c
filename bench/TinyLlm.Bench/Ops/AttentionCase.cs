using TinyLlm.Kernels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;
using Tensor = TinyLlm.Kernels.Tensor;
using TorchTensor = TorchSharp.torch.Tensor;

namespace TinyLlm.Bench.Ops;

/// <summary>
/// Causal attention and its gradients on both sides, with the same numbers. q, k and v are slices of one stacked row,
/// as a linear layer for all three leaves them: (B, T, 3, H, D). libtorch's backward pass runs its autograd over the
/// graph of one forward pass again and again.
/// </summary>
internal sealed class AttentionCase : IDisposable
{
    private readonly OpsDevice device;
    private readonly Arena arena;
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly Tensor q, k, v, output, logSumExp, dOutput, dQkv, dq, dk, dv;
    private readonly TorchTensor[] torchInputs; // q, k, v: (B, H, T, D)
    private readonly TorchTensor torchDOutput;  // (B, H, T, D)
    private readonly double flops;

    public AttentionCase(OpsDevice device, int b, int t, int h, int d)
    {
        this.device = device;
        arena = new Arena(device.Backend, "attention");
        var qkv = arena.Add("qkv", (b, t, 3 * h * d));
        dQkv = arena.Add("d.qkv", (b, t, 3 * h * d));
        output = arena.Add("output", (b, t, h, d));
        dOutput = arena.Add("d.output", (b, t, h, d));
        logSumExp = arena.Add("logsumexp", (b, h, t));
        arena.Allocate();
        var (heads, dHeads) = (qkv.SplitLast(d), dQkv.SplitLast(d)); // (B, T, 3 H, D)
        (q, k, v) = (heads.Slice(2, 0, h), heads.Slice(2, h, h), heads.Slice(2, 2 * h, h));
        (dq, dk, dv) = (dHeads.Slice(2, 0, h), dHeads.Slice(2, h, h), dHeads.Slice(2, 2 * h, h));

        var stacked = device.Fill(qkv).view(b, t, 3, h, d).permute(2, 0, 3, 1, 4);
        torchInputs = [.. Enumerable.Range(0, 3).Select(i => stacked[i].detach().requires_grad_(true))];
        torchDOutput = device.Fill(dOutput).transpose(1, 2);
        flops = 2.0 * b * h * t * t * d; // two products of (T, T) by D, of which the causal half
    }

    /// <summary>
    /// Runs both passes once on both sides, compares the results, and returns the passes to be timed.
    /// </summary>
    /// <exception cref="InvalidOperationException">The sides disagree.</exception>
    public IEnumerable<Contest> Check()
    {
        var backend = device.Backend;
        var graph = Forward();
        var forward = new Contest("forward", flops, () => backend.Attention(q, k, v, output, logSumExp), () =>
        {
            using var inner = NewDisposeScope();
            using var noGrad = no_grad();
            Forward();
        });
        forward.Ours();
        device.Compare("attention forward", output, graph.transpose(1, 2));
        yield return forward;

        // Five products of that size: the scores again, dV, dP, dQ, dK.
        var backward = new Contest(
            "backward", 2.5 * flops, () =>
                backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv), () =>
            {
                using var inner = NewDisposeScope();
                Backward(graph);
            });
        backward.Ours();
        CompareGradients(Backward(graph));
        yield return backward;
    }

    public void Dispose()
    {
        scope.Dispose();
        arena.Dispose();
    }

    private TorchTensor Forward() =>
        F.scaled_dot_product_attention(torchInputs[0], torchInputs[1], torchInputs[2], is_casual: true);

    private IList<TorchTensor> Backward(TorchTensor graph) =>
        autograd.grad([graph], torchInputs, [torchDOutput], retain_graph: true);

    private void CompareGradients(IList<TorchTensor> gradients)
    {
        using var inner = NewDisposeScope();
        // (B, H, 3, T, D) to (B, T, 3, H, D)
        device.Compare("attention backward", dQkv, stack(gradients, 2).permute(0, 3, 2, 1, 4));
    }
}
