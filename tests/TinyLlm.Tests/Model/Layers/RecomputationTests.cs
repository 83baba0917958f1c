using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class RecomputationTestsOnCpu256 : RecomputationTests<Cpu256Threads3>;

public sealed class RecomputationTestsOnCpuScalar : RecomputationTests<CpuScalar>;

/// <summary>
/// A backward pass that computes the blocks' activations once more gives the bits of one that kept them.
/// </summary>
public abstract class RecomputationTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const int B = 2, T = 40, Vocabulary = 150;

    [Theory]
    [InlineData(Architecture.Gpt2)]
    [InlineData(Architecture.Llama)]
    [InlineData(Architecture.Qwen3)]
    public void Gradients_AreTheSameBits(Architecture architecture)
    {
        var config = GptConfig.Create(
            architecture, 3, 4, 32, T, Vocabulary, architecture == Architecture.Gpt2 ? 4 : 2, dropout: 0.2f);
        using var model = new Gpt(config, Backend);
        model.Initialize(4);
        using var kept = new ModelRun(model, B, T);
        var (expectedLogs, expected) = Gradients(kept);

        using var recomputed = new ModelRun(model, B, T, recompute: true);
        var (logs, gradients) = Gradients(recomputed);

        Compare.SameBits("log-probabilities", expectedLogs, logs);
        Compare.SameBits("gradients", expected, gradients);
        Assert.Contains(expected, g => g != 0);
    }

    // Of two steps, so that the second finds what the first has left.
    private (float[] LogProbabilities, float[] Gradients) Gradients(ModelRun run)
    {
        float[] logs = [];
        Backend.Fill(run.Model.AllGradients, 0);
        for (int step = 0; step < 2; step++)
        {
            run.State.Send(9, step, 0, 0, 0.9f, 0.99f);
            var random = new RandomValues(step);
            logs = run.Forward(
                random.Integers(B * T, 0, Vocabulary), random.Integers(B * T, -20, Vocabulary), training: true);
            run.Backward(random.Floats(B * T, scale: 0.01), training: true);
        }

        return (logs, ModelRun.Read(run.Model.AllGradients));
    }
}
