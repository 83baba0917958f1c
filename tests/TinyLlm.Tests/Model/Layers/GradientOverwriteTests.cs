using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class GradientOverwriteTestsOnCpu256 : GradientOverwriteTests<Cpu256Threads3>;

public sealed class GradientOverwriteTestsOnSimulated : GradientOverwriteTests<Simulated>;

/// <summary>
/// A backward pass that overwrites the gradients leaves what one leaves that adds to zeros: nothing of what was there
/// shows.
/// </summary>
public abstract class GradientOverwriteTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const int B = 2, T = 6, Vocabulary = 20;

    [Theory]
    [InlineData(Architecture.Gpt2, true, false)]
    [InlineData(Architecture.Qwen3, true, false)]
    [InlineData(Architecture.Llama, false, false)]
    [InlineData(Architecture.Qwen3, true, true)]
    public void Overwritten_IsAddedToZeros(Architecture architecture, bool tiedHead, bool adapters)
    {
        var config = GptConfig.Create(architecture, 2, 2, 16, T, Vocabulary) with
        {
            TiedHead = tiedHead,
            Lora = adapters ? new LoraSettings(3, 6, ["q_proj", "down_proj"]) : null,
        };
        using var model = new Gpt(config, Backend);
        model.Initialize(4);
        if (adapters)
            model.InitializeAdapter(5);
        using var run = new ModelRun(model, B, T);
        var random = new RandomValues(1);
        run.Forward(random.Integers(B * T, 0, Vocabulary), random.Integers(B * T, -4, Vocabulary));
        float[] weights = random.Floats(B * T);

        Backend.Fill(model.AllGradients, 0);
        run.Backward(weights);
        float[] expected = Gradients(model);

        Backend.Fill(model.AllGradients, float.NaN);
        Backend.Write(run.Activations.TokenWeights, weights);
        model.Backward(run.Activations, accumulate: false);
        Compare.SameBits("overwritten", expected, Gradients(model));

        Backend.Fill(model.AllGradients, float.NaN);
        model.LogProbabilitiesAndBackward(run.Activations, accumulate: false);
        Compare.SameBits("overwritten at once", expected, Gradients(model));
        Assert.Contains(expected, g => g != 0);
    }

    // Adding to zero makes a positive zero of a negative one.
    private static float[] Gradients(Gpt model) =>
        [.. model.Trained.All.SelectMany(p => ModelRun.Read(p.Gradient!.Value)).Select(g => g + 0f)];
}
