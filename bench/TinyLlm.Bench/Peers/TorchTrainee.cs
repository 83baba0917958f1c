using TinyLlm.Bench.Timing;
using TinyLlm.Bench.Training;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace TinyLlm.Bench.Peers;

/// <summary>
/// libtorch's GPT-2 in training: flash attention, fused cross-entropy, and TorchSharp's AdamW or PyTorch's fused one.
/// </summary>
internal sealed class TorchTrainee : ITrainee
{
    private readonly ModelSize size;
    private readonly TorchGpt model;
    private readonly IDisposable optimizer;
    private readonly Action update;

    public TorchTrainee(TraineeSetup setup)
    {
        size = setup.Size;
        set_num_threads(setup.Threads);
        model = new TorchGpt(size, setup.Weights);
        var groups = model.Parameters.GroupBy(p => p.dim() >= 2 ? Recipe.WeightDecay : 0);
        if (setup.FusedAdamW)
        {
            var adamW = new TorchFusedAdamW(groups);
            (optimizer, update) = (adamW, adamW.Step);
        }
        else
        {
            var adamW = optim.AdamW(
                groups.Select(
                    group => new AdamW.ParamGroup(
                        group, Recipe.LearningRate, Recipe.Beta1, Recipe.Beta2, Recipe.Epsilon, group.Key)));
            optimizer = adamW;
            update = () =>
            {
                adamW.step();
                adamW.zero_grad();
            };
        }
    }

    public float Step(int[] tokens, int[] targets)
    {
        using var scope = NewDisposeScope();
        long b = size.BatchSize, t = size.Context;
        var ids = tensor(tokens, [b, t]).to(ScalarType.Int64);
        var hidden = model.Hidden(ids, 0, (_, q, k, v) => F.scaled_dot_product_attention(q, k, v, is_casual: true));
        var loss = F.cross_entropy(model.Logits(hidden).view(b * t, -1), tensor(targets).to(ScalarType.Int64));
        loss.backward();
        update();
        return loss.item<float>();
    }

    public void Dispose()
    {
        optimizer.Dispose();
        model.Dispose();
    }
}
