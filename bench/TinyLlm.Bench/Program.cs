using System.CommandLine;
using TinyLlm.Bench;
using TinyLlm.Bench.Goldens;
using TinyLlm.Bench.Timing;

NativeSetup.RestartTuned(args);
NativeSetup.MendTorchSharp();

var root = new RootCommand("TinyLlm beside PyTorch (TorchSharp, libtorch on the CPU): golden values and timings.")
{
    GoldenCommand.Create(),
    MatMulCommand.Create(),
    TrainCommand.Create(),
};
return root.Parse(args).Invoke();
