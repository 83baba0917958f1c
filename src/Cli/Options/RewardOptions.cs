using System.CommandLine;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Cli;

/// <summary>How a model answers prompts, and what its answers earn.</summary>
/// <param name="Group">Answers to each prompt.</param>
/// <param name="MaxTokens">The most tokens of an answer.</param>
/// <param name="Temperature">Of sampling.</param>
/// <param name="Kl">Weight of the KL penalty against the reference model.</param>
/// <param name="Reward">Scores answers.</param>
/// <param name="Name">The reward, for people.</param>
internal sealed record RewardSettings(
    int Group, int MaxTokens, float Temperature, double Kl, IReward Reward, string Name);

/// <summary>The options of learning from rewards.</summary>
internal sealed class RewardOptions
{
    private readonly Option<string> kind = LoopOptions.Choice("--reward",
        "What an answer earns in grpo, 1 or 0: exact (the row's answer), numeric (its number: behind ####, else the "
        + "last), regex (--reward-pattern), or what --reward-command says; default: exact.", "exact", "numeric",
        "regex", "command");
    private readonly Option<string?> pattern =
        LoopOptions.Text("--reward-pattern", "REGEX", "What an answer must match with --reward regex.");
    private readonly Option<string?> command = LoopOptions.Text(
        "--reward-command", "COMMAND", "A program that reads {\"prompt\", \"answer\", \"completion\"} as JSON lines "
        + "and writes a number a line, with --reward command.");
    private readonly Option<double> timeout =
        LoopOptions.Real("--reward-timeout", "Seconds that the program has for a step; default: 60.");
    private readonly Option<int> group =
        LoopOptions.Number("--group", "Answers to each prompt in grpo, 2 to 16; default: 8.");
    private readonly Option<int> maxTokens = LoopOptions.Number(
        "--max-tokens", "The most tokens of an answer in grpo; longer ones are left out; default: 64.");
    private readonly Option<double> temperature =
        LoopOptions.Real("--temperature", "Of sampling answers in grpo; default: 1, the model's own distribution.");
    private readonly Option<double> kl =
        LoopOptions.Real("--kl", "Weight of the KL penalty against the reference model in grpo (default: 0).");

    private Option[] All => [kind, pattern, command, timeout, group, maxTokens, temperature, kl];

    public void AddTo(Command target)
    {
        foreach (var option in All)
            target.Options.Add(option);
    }

    /// <summary>What the options say; none where rewards are not learned from.</summary>
    /// <exception cref="TinyLlmException">A value is out of range, or an option is given that does nothing.</exception>
    public RewardSettings? Read(OptionReader reader, bool wanted)
    {
        string name = reader.Fixed(kind, "exact");
        string? regex = reader.Fixed(pattern, null), program = reader.Fixed(command, null);
        double seconds = reader.Free(timeout, 60.0), t = reader.Fixed(temperature, 1.0),
            distance = reader.Fixed(kl, 0.0);
        int answers = reader.Fixed(group, 8), tokens = reader.Fixed(maxTokens, 64);
        if (!wanted)
        {
            return Array.Find(All, reader.IsGiven) is { } given
                ? throw new TinyLlmException(
                    $"{given.Name}: it says how answers are rewarded; expected --method grpo with it.")
                : null;
        }

        Require(answers is >= 2 and <= 16, $"--group {answers}: expected 2 to 16.");
        Require(tokens > 0, $"--max-tokens {tokens}: expected 1 or more.");
        Require(t > 0 && double.IsFinite(t), $"--temperature {t}: expected a number above 0: answers must differ.");
        Require(distance >= 0 && double.IsFinite(distance), $"--kl {distance}: expected 0 (off) or more.");
        Require(seconds > 0 && seconds < 1e6, $"--reward-timeout {seconds}: expected a number of seconds above 0.");
        Require((name == "regex") == (regex is not null),
            "--reward regex and --reward-pattern REGEX: expected both or neither.");
        Require((name == "command") == (program is not null),
            "--reward command and --reward-command COMMAND: expected both or neither.");
        IReward reward = name switch
        {
            "numeric" => new NumericReward(),
            "regex" => new RegexReward(regex!),
            "command" => new CommandReward(program!, seconds),
            _ => new ExactReward(),
        };
        return new RewardSettings(
            answers, tokens, (float)t, distance, reward, (regex ?? program) is { } more ? $"{name}: {more}" : name);
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
            throw new TinyLlmException(fault);
    }
}
