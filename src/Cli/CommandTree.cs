using System.CommandLine;
using System.CommandLine.Help;
using TinyLlm.Cli.Commands;
using TinyLlm.Cli.Parsing;
using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>All commands with their options, and how a command line becomes one of them.</summary>
internal static class CommandTree
{
    // Narrower than this, descriptions are a word a line; the terminal may break the lines instead.
    private const int NarrowestHelp = 40;

    // Texts may begin with @, which the parser would take for a file of words; and no option is a single letter that
    // could be bundled.
    private static readonly ParserConfiguration Configuration = new()
    {
        ResponseFileTokenReplacer = null,
        EnablePosixBundling = false,
    };

    /// <summary>Makes the tree.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("TinyLlm trains a small GPT-style language model from raw text, "
            + "finetunes it into an assistant, and generates text with it.")
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
        NumericOptions.Apply(root);
        if (TerminalSize.OutputColumns is { } columns)
        {
            var help = (HelpAction)root.Options.OfType<HelpOption>().Single().Action!;
            help.MaxWidth = Math.Max(NarrowestHelp, columns);
        }

        return root;
    }

    /// <summary>Reads a command line; without words it is --help.</summary>
    public static ParseResult Parse(RootCommand root, IReadOnlyList<string> words) =>
        root.Parse(words.Count > 0 ? TextWords.Arrange(root, words) : ["--help"], Configuration);
}
