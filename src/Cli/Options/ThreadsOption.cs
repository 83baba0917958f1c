using System.CommandLine;

namespace TinyLlm.Cli;

/// <summary><c>--threads</c> of commands that run no model.</summary>
internal sealed class ThreadsOption
{
    private readonly Option<int> threads = LoopOptions.Number(
        "--threads", "Threads that work; 0, the default: one a core; the result does not depend on it.");

    public void AddTo(Command command) => command.Options.Add(threads);

    /// <summary>The number of threads, from 1.</summary>
    /// <exception cref="TinyLlmException">It is negative.</exception>
    public int Read(ParseResult parse) => parse.GetValue(threads) switch
    {
        0 => Environment.ProcessorCount,
        > 0 and int count => count,
        int count => throw new TinyLlmException($"--threads {count}: expected 0 (one a core) or more."),
    };
}
