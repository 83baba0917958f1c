using System.Text;
using System.Text.Json;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

public sealed class RunLogTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Log => folder["run/metrics.jsonl"];

    public void Dispose() => folder.Dispose();

    private static RunLogEntry Entry(int step) => new()
    {
        Step = step,
        Tokens = 4096L * step * 1_000_000,
        TrainLoss = 4.0 / (step + 1),
        ValLoss = step % 5 == 0 ? 1.25 : null,
        ValBitsPerByte = step % 5 == 0 ? 1.8 : null,
        LearningRate = 1e-3f,
        GradNorm = 0.1,
        TokensPerSecond = 12345.5,
        Seconds = 0.25 * step,
    };

    private void WriteSteps(int first, int last)
    {
        using var log = first == 1 ? RunLog.Create(Log) : RunLog.Resume(Log, first - 1);
        for (int step = first; step <= last; step++)
            log.Append(Entry(step));
    }

    private static IEnumerable<RunLogEntry> Steps(int first, int last) =>
        Enumerable.Range(first, last - first + 1).Select(Entry);

    [Fact]
    public void Append_WritesOneObjectALine()
    {
        WriteSteps(1, 5);
        string[] lines = File.ReadAllText(Log).Split('\n');
        Assert.Equal(6, lines.Length);
        Assert.Equal("", lines[5]);
        Assert.Equal("""{"step":5,"tokens":20480000000,"train_loss":0.6666666666666666,"val_loss":1.25,"val_bits_per_byte":1.8,"lr":0.0010000000474974513,"grad_norm":0.1,"tokens_per_second":12345.5,"seconds":1.25}""", lines[4]);
        using var first = JsonDocument.Parse(lines[0]);
        Assert.Equal(["step", "tokens", "train_loss", "lr", "grad_norm", "tokens_per_second", "seconds"],
            first.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(Steps(1, 5), RunLog.Read(Log));
    }

    [Fact]
    public void Append_CanBeFollowedWhileRunning()
    {
        using var log = RunLog.Create(Log);
        for (int step = 1; step <= 3; step++)
        {
            log.Append(Entry(step));
            Assert.Equal(Steps(1, step), RunLog.Read(Log));
        }
    }

    [Fact]
    public void Append_NotFinite_IsNull()
    {
        using (var log = RunLog.Create(Log))
            log.Append(Entry(
                1) with
            { TrainLoss = double.NaN, GradNorm = double.PositiveInfinity, ValLoss = double.NaN });
        using var line = JsonDocument.Parse(File.ReadAllText(Log));
        Assert.Equal(JsonValueKind.Null, line.RootElement.GetProperty("train_loss").ValueKind);
        RunLogEntry read = Assert.Single(RunLog.Read(Log));
        Assert.Equal(
            (double.NaN, double.NaN, double.NaN, null),
            (read.TrainLoss, read.GradNorm, read.ValLoss!.Value, read.ValBitsPerByte));
    }

    [Fact]
    public void Create_ReplacesAnEarlierLog()
    {
        WriteSteps(1, 5);
        WriteSteps(1, 2);
        Assert.Equal(Steps(1, 2), RunLog.Read(Log));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    [InlineData(10)]
    [InlineData(99)]
    public void Resume_DropsLaterSteps(int step)
    {
        WriteSteps(1, 10);
        RunLog.Resume(Log, step).Dispose();
        Assert.Equal(Steps(1, Math.Min(step, 10)), RunLog.Read(Log));
        Assert.Single(Directory.GetFiles(folder["run"]));
    }

    // N steps equal N/2 steps, a kill, a resume and N/2 more, byte for byte.
    [Fact]
    public void Resume_EqualsARunWithoutPause()
    {
        WriteSteps(1, 10);
        byte[] whole = File.ReadAllBytes(Log);
        WriteSteps(1, 7);
        WriteSteps(6, 10);
        Assert.Equal(whole, File.ReadAllBytes(Log));
    }

    [Fact]
    public void Resume_TruncatedAtEveryByte_ContinuesWithWholeLines()
    {
        WriteSteps(1, 2);
        byte[] whole = File.ReadAllBytes(Log);
        for (int length = 0; length <= whole.Length; length++)
        {
            // A line that lacks nothing but its line feed is whole.
            int lines = whole[..length]
                .Count(b => b == '\n') + (length < whole.Length && whole[length] == '\n' ? 1 : 0);
            File.WriteAllBytes(Log, whole[..length]);
            Assert.Equal(Steps(1, lines), RunLog.Read(Log));
            WriteSteps(5, 6);
            Assert.Equal(Steps(1, lines).Concat(Steps(5, 6)), RunLog.Read(Log));
            Assert.Equal(lines + 2, File.ReadAllText(Log).Count(c => c == '\n'));
        }
    }

    [Theory]
    [InlineData("\0\0\0\0")] // what a file system may leave after a power cut
    [InlineData("{\"step\":3}\n")]
    [InlineData("[1,2]\n\n")]
    [InlineData("{\"step\":\"3\",\"tok")]
    public void Resume_DamagedLastLine_IsDropped(string last)
    {
        WriteSteps(1, 2);
        File.AppendAllText(Log, last);
        Assert.Equal(Steps(1, 2), RunLog.Read(Log));
        WriteSteps(3, 3);
        Assert.Equal(Steps(1, 3), RunLog.Read(Log));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("{\"step\":3}")]
    public void Resume_DamagedOtherLine_IsRefusedAndKept(string line)
    {
        WriteSteps(1, 2);
        File.AppendAllText(Log, line + "\n" + File.ReadAllText(Log));
        byte[] before = File.ReadAllBytes(Log);
        UserError.Expect(() => RunLog.Read(Log), Log + ", line 3:");
        UserError.Expect(() => RunLog.Resume(Log, 1), Log + ", line 3:");
        Assert.Equal(before, File.ReadAllBytes(Log));
    }

    [Fact]
    public void Resume_KeepsFieldsItDoesNotKnow()
    {
        WriteSteps(1, 1);
        string line = File.ReadAllText(Log).TrimEnd()[..^1] + ",\"more\":[1]}";
        File.WriteAllText(Log, line + "\n" + line.Replace("\"step\":1", "\"step\":2", StringComparison.Ordinal));
        RunLog.Resume(Log, 1).Dispose();
        Assert.Equal(Encoding.UTF8.GetBytes(line + "\n"), File.ReadAllBytes(Log));
    }

    [Fact]
    public void Resume_NoFile_BeginsOne()
    {
        using (var log = RunLog.Resume(Log, 4))
            log.Append(Entry(5));
        Assert.Equal([Entry(5)], RunLog.Read(Log));
    }

    [Fact]
    public void Faults_GiveALine()
    {
        UserError.Expect(() => RunLog.Read(Log), Log, "no such file");
        Directory.CreateDirectory(Log);
        UserError.Expect(() => RunLog.Create(Log), Log, "could not be written");
    }
}
