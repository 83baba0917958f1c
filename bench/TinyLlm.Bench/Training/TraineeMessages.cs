using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>The first line that a trainee's process reads.</summary>
/// <param name="Size">The model and its batches.</param>
/// <param name="Weights">File of the initial weights.</param>
/// <param name="Threads">Threads that compute.</param>
/// <param name="FusedAdamW">Whether libtorch uses PyTorch's fused AdamW instead of TorchSharp's.</param>
internal sealed record TraineeSetup(ModelSize Size, string Weights, int Threads, bool FusedAdamW);

/// <summary>
/// What a trainee's process answers when it is ready, and after the steps that each further line asks for.
/// </summary>
/// <param name="Seconds">Duration of all the steps together.</param>
/// <param name="Losses">The mean cross-entropy of each, before its update.</param>
/// <param name="PeakBytes">The most memory that the process has had so far, code included.</param>
internal sealed record TraineeReply(double Seconds, float[] Losses, long PeakBytes);
