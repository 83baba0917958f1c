namespace TinyLlm.Kernels;

/// <summary>
/// What changes from step to step, in a small buffer on the device: kernels read it there, so that the launches of one
/// step are the same as those of the next and a whole step can be captured as one graph.
/// </summary>
public sealed class StepState
{
    /// <summary>Slots of the buffer: I32, floats by their bits.</summary>
    public const int SeedLow = 0, SeedHigh = 1, Step = 2, MicroStep = 3, LearningRate = 4, BiasCorrection1 = 5,
        BiasCorrection2 = 6, Size = 8;

    private readonly int[] host = new int[Size];

    /// <summary>Plans the buffer in <paramref name="arena"/>.</summary>
    public StepState(Arena arena) => Buffer = arena.Add("step state", Size, DType.I32);

    /// <summary>The buffer, (8) I32.</summary>
    public Tensor Buffer { get; }

    /// <summary>Sends the values of one micro-batch to the device.</summary>
    /// <param name="seed">Seed of the run: the key of the dropout generator.</param>
    /// <param name="step">Step number from 0: part of the dropout counter, so that each step draws anew and a resume
    /// draws the same.</param>
    /// <param name="microStep">Number of the micro-batch within the step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="beta1">AdamW's beta1, for the bias correction 1 - beta1^(step + 1).</param>
    /// <param name="beta2">AdamW's beta2.</param>
    public void Send(ulong seed, int step, int microStep, float learningRate, float beta1, float beta2)
    {
        host[SeedLow] = (int)(uint)seed;
        host[SeedHigh] = (int)(uint)(seed >> 32);
        host[Step] = step;
        host[MicroStep] = microStep;
        host[LearningRate] = BitConverter.SingleToInt32Bits(learningRate);
        host[BiasCorrection1] = BitConverter.SingleToInt32Bits((float)(1 - Math.Pow(beta1, step + 1)));
        host[BiasCorrection2] = BitConverter.SingleToInt32Bits((float)(1 - Math.Pow(beta2, step + 1)));
        Buffer.Storage.Backend.Write(Buffer, host);
    }
}
