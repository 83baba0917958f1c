using System.CommandLine;
using TinyLlm.Kernels;

namespace TinyLlm.Cli;

/// <summary>Where a command runs and in what precision: the same options for every command that runs a model.</summary>
internal sealed class DeviceOptions
{
    private const string Auto = "auto", Fp32 = "fp32", Bf16 = "bf16";

    private readonly Option<string> device = LoopOptions.Choice("--device", "Where to run; default: auto, the best "
        + "device there is (see tinyllm devices).", Auto, "cpu", "cuda", "opencl", "simulated");
    private readonly Option<int> threads =
        LoopOptions.Number("--threads", "CPU threads; 0, the default: one a core; the result does not depend on it.");
    private readonly Option<string> precision = LoopOptions.Choice("--precision",
        "Type of activations and of the weights that products read; default: auto, bf16 where the GPU has tensor "
        + "cores for it, else fp32. Weights are trained and saved in fp32 either way.", Auto, Fp32, Bf16);

    public void AddTo(Command command)
    {
        command.Options.Add(device);
        command.Options.Add(threads);
        command.Options.Add(precision);
    }

    /// <summary>Opens the device that the command line names.</summary>
    /// <exception cref="TinyLlmException">It is not there, or cannot compute in this precision.</exception>
    public RunDevice Open(ParseResult parse) =>
        Open(parse.GetValue(device) ?? Auto, parse.GetValue(threads), parse.GetValue(precision) ?? Auto);

    /// <summary>
    /// Reads the options of a run, where a resume may change the device but not the precision; the device is opened
    /// later.
    /// </summary>
    public Func<RunDevice> Read(OptionReader reader)
    {
        string on = reader.Free(device, Auto), with = reader.Fixed(precision, Auto);
        int count = reader.Free(threads, 0);
        return () => Open(on, count, with);
    }

    /// <summary>
    /// CPU threads of a run, for what it does before it trains; opening the device has checked the number.
    /// </summary>
    public int Threads(OptionReader reader) => reader.Free(threads, 0) is > 0 and int count ? count
        : Environment.ProcessorCount;

    private static RunDevice Open(string device, int threads, string precision)
    {
        var backend = Backend.Create(device, threads);
        var type = precision switch
        {
            Fp32 => DType.F32,
            Bf16 => DType.BF16,
            _ => backend.PreferredComputeType,
        };
        if (backend.Supports(type))
            return new RunDevice(backend, type);
        string name = backend.Name;
        backend.Dispose();
        throw new TinyLlmException($"--precision {precision}: --device {name} computes in fp32; expected fp32 or "
            + "auto, or a GPU (--device cuda or opencl).");
    }
}

/// <summary>An open device.</summary>
/// <param name="Backend">The backend; disposed of with this.</param>
/// <param name="ComputeType">What models compute in on it.</param>
internal sealed record RunDevice(Backend Backend, DType ComputeType) : IDisposable
{
    public void Dispose() => Backend.Dispose();
}
