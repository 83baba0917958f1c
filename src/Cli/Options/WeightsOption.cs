using System.CommandLine;
using TinyLlm.Kernels;

namespace TinyLlm.Cli;

/// <summary><c>--weights</c>, for commands that only read a model.</summary>
internal sealed class WeightsOption
{
    private const string Int8 = "int8";

    private readonly Option<string> option = LoopOptions.Choice("--weights",
        "Type of the weights in memory; default: fp32. int8 takes little more than a quarter of its memory and time, "
        + "on the CPU alone, and changes the results a little.", "fp32", Int8);

    public void AddTo(Command command) => command.Options.Add(option);

    /// <summary>The type that the command line names.</summary>
    /// <exception cref="TinyLlmException">The device has no such weights.</exception>
    public DType Read(ParseResult parse, RunDevice device)
    {
        if (parse.GetValue(option) != Int8)
            return DType.F32;
        if (!device.Backend.Supports(DType.I8))
        {
            throw new TinyLlmException($"--weights int8: --device {device.Backend.Name} has no 8-bit weights; "
                + "expected --device cpu, or --weights fp32.");
        }

        return DType.I8;
    }
}
