using TinyLlm.Cli;
using TinyLlm.Cli.Terminal;

StandardStreams.Install();
Fault.ReportUnhandled();
return await CommandRun.RunAsync(CommandTree.Create(), args, Console.Error);
