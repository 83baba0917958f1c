using System.CommandLine;
using System.CommandLine.Invocation;
using TinyLlm.Cli;
using TinyLlm.Cli.Commands;
using TinyLlm.Kernels;

var root = new RootCommand("TinyLlm trains a small GPT-style language model from raw text, finetunes it into an assistant, and generates text with it.")
{
    PretrainCommand.Create(),
    FinetuneCommand.Create(),
    MergeCommand.Create(),
    GenerateCommand.Create(),
    ChatCommand.Create(),
    EvalCommand.Create(),
    InfoCommand.Create(),
    TokenizerCommand.Create(),
    TokenizeCommand.Create(),
    DataCommand.Create(),
    DevicesCommand.Create(),
};

try
{
    // Ctrl-C and SIGTERM cancel the command; it must have the time to write a checkpoint.
    var configuration = new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(10), EnableDefaultExceptionHandler = false };
    var parse = root.Parse(args.Length > 0 ? args : ["--help"]);
    if (parse.Action is ParseErrorAction)
    {
        Console.Error.WriteLine($"tinyllm: {ParserErrors.Describe(parse)}");
        return ExitCode.Refused;
    }

    return await parse.InvokeAsync(configuration);
}
catch (TinyLlmException e)
{
    Console.Error.WriteLine($"tinyllm: {e.Message}");
    return ExitCode.Failed;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("tinyllm: interrupted.");
    return ExitCode.Interrupted;
}
catch (OutOfMemoryException)
{
    Console.Error.WriteLine("tinyllm: not enough memory; a smaller --batch-size, --accumulate, --context or model shrinks what is needed.");
    return ExitCode.Failed;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"tinyllm: {e.Message}");
    return ExitCode.Failed;
}
