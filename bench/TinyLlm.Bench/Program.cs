using System.CommandLine;
using TinyLlm;
using TinyLlm.Bench.Data;
using TinyLlm.Bench.Decoding;
using TinyLlm.Bench.Goldens;
using TinyLlm.Bench.Ops;
using TinyLlm.Bench.Startup;
using TinyLlm.Bench.Tokenizers;
using TinyLlm.Bench.Training;

var root = new RootCommand(
    "TinyLlm beside PyTorch (TorchSharp, libtorch on the CPU): timings, and golden values for the tests.")
{
    TrainCommand.Create(),
    OpsCommand.Create(),
    DecodeCommand.Create(),
    StartupCommand.Create(),
    TokenizerCommand.Create(),
    DataCommand.Create(),
    GoldenCommand.Create(),
    TraineeCommand.Create(),
    FirstTokenCommand.Create(),
    TrainTokenizerCommand.Create(),
};

try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is InvalidOperationException or TinyLlmException or IOException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
