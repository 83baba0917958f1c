using TinyLlm.Tests.Support;
using TinyLlm.Training.Rewards;
using Xunit;

namespace TinyLlm.Tests.Training.Rewards;

/// <summary>What answers earn.</summary>
public sealed class RewardTests
{
    private static readonly CancellationToken never = CancellationToken.None;

    [Theory]
    [InlineData("48 + 24 = 72.\n#### 72", "so 72", 1)]
    [InlineData("#### 1,250", "It is 1250.", 1)]
    [InlineData("#### 10", "10.0", 1)]
    [InlineData("#### -3", "minus 3", 0)]
    [InlineData("#### -3", "#### -3 of 5", 1)]
    [InlineData("#### 5", "5 and then 6", 0)]
    [InlineData("#### 5", "nothing", 0)]
    [InlineData("no number", "none either", 0)]
    [InlineData("#### 1", "99999999999999999999999999999999", 0)]
    public void Numeric_ComparesTheLastNumbers(string answer, string completion, double expected) =>
        Assert.Equal([expected], new NumericReward().Score([new Attempt("?", answer, completion)], never));

    [Fact]
    public void Exact_And_Regex()
    {
        Assert.Equal(
            [1, 0, 0], new ExactReward()
            .Score([new Attempt("", " a ", "a\n"), new Attempt("", "a", "A"), new Attempt("", "a", "")], never));
        Assert.Equal(
            [1, 0], new RegexReward("^[0-9]+$").Score([new Attempt("", "", "12"), new Attempt("", "", "1x")], never));
        UserError.Expect(() => new RegexReward("("), "--reward-pattern (", "no regular expression");
        UserError.Expect(
            () => new RegexReward("^(a+)+$").Score([new Attempt("", "", new string('a', 60) + "!")], never),
            "a match took more than");
    }

    [Fact]
    public void ACommand_ScoresLines_AndItsFaultsAreNamed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "The commands are a Unix shell's.");
        Attempt[] attempts = [new("p", "a", "one\n\"two\""), new("q", "b", "three")];
        Assert.Equal([0.5, 1.5], new CommandReward("awk '{ print NR - 0.5 }'", 20).Score(attempts, never));
        Assert.Equal(
            [1, 0], new CommandReward("while read -r line; do case $line in *'\"completion\":\"one'*) echo 1;; *) "
            + "echo 0;; esac; done", 20).Score(attempts, never));
        Fault("echo nan; echo 1", "line 1 is \"nan\"");
        Fault("echo 1", "wrote 1 lines for 2 answers");
        Fault("echo wrong >&2; exit 3", "exit code 3: wrong");
        Fault("no-such-program-here", "exit code 127");
        var slow = new CommandReward("sleep 30", 0.3);
        UserError.Expect(() => slow.Score(attempts, never), "took more than 0.3 s", "--reward-timeout");

        void Fault(string command, string part) =>
            UserError.Expect(() => new CommandReward(command, 20).Score(attempts, never), "--reward-command", part);
    }
}
