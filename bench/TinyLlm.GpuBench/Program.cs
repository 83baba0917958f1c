using System.CommandLine;
using System.CommandLine.Invocation;
using TinyLlm;
using TinyLlm.GpuBench;
using TinyLlm.GpuBench.Ops;
using TinyLlm.GpuBench.Reporting;
using TinyLlm.GpuBench.Smoke;
using TinyLlm.GpuBench.Training;

var root = new RootCommand("Checks and times TinyLlm on a GPU: what scripts/gpu-check runs. Exit code: 0 all well; 1 "
    + "a check failed; 2 wrong use, or no such device.")
{
    SmokeCommand.Create(),
    MatMulCommand.Create(),
    AttentionCommand.Create(),
    TrainCommand.Create(),
    LogitsCommand.Create(),
    ShapesCommand.Create(),
    ReportCommand.Create(),
};

try
{
    var parse = root.Parse(args.Length > 0 ? args : ["--help"]);
    int code = parse.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    return parse.Action is ParseErrorAction ? 2 : code;
}
catch (Exception e) when (e is TinyLlmException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"TinyLlm.GpuBench: {e.Message}");
    return 2;
}
