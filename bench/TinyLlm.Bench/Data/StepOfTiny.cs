using TinyLlm.Bench.Peers;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Timing;
using TinyLlm.Bench.Training;

namespace TinyLlm.Bench.Data;

/// <summary>Training steps of the smallest preset: what reading a batch is held against.</summary>
internal sealed class StepOfTiny : IDisposable
{
    private const int Steps = 20;

    private readonly TinyLlmTrainee trainee;
    private readonly Batches batches = new(Size);

    public StepOfTiny(TemporaryFolder folder, int threads)
    {
        Size.SaveInitialWeights(folder["tiny.safetensors"]);
        trainee = new TinyLlmTrainee(new TraineeSetup(Size, folder["tiny.safetensors"], threads, FusedAdamW: true));
        batches.Next();
    }

    public static ModelSize Size { get; } = ModelSize.Get("tiny");

    public Sample Time { get; } = new();

    public void Measure() => Time.Measure(() => trainee.Step(batches.Tokens, batches.Targets), Steps);

    public void Dispose() => trainee.Dispose();
}
