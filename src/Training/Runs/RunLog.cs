using System.Buffers;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using TinyLlm.Data;

namespace TinyLlm.Training;

/// <summary>
/// What one logged step reports; one line of <c>metrics.jsonl</c>. A number that is not finite is null there, and NaN
/// when read.
/// </summary>
public sealed record RunLogEntry
{
    /// <summary>Optimiser steps done.</summary>
    public required int Step { get; init; }

    /// <summary>Tokens trained on so far.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean loss of the step's tokens, in nats.</summary>
    public required double TrainLoss { get; init; }

    /// <summary>Mean loss of the validation tokens, in nats; null where there was no evaluation.</summary>
    public double? ValLoss { get; init; }

    /// <summary>
    /// Bits that the model needs per byte of the validation text; null where there was no evaluation, not a number
    /// where the text has unknown words.
    /// </summary>
    public double? ValBitsPerByte { get; init; }

    /// <summary>
    /// Of comparisons: mean difference of the step's rewards, and the share of pairs with the chosen answer ahead; null
    /// for other stages.
    /// </summary>
    public double? RewardMargin { get; init; }

    /// <summary>See <see cref="RewardMargin"/>.</summary>
    public double? RewardAccuracy { get; init; }

    /// <summary>The same of the validation pairs; null where there was no evaluation.</summary>
    public double? ValRewardMargin { get; init; }

    /// <summary>See <see cref="ValRewardMargin"/>.</summary>
    public double? ValRewardAccuracy { get; init; }

    /// <summary>
    /// Of the model's own answers: mean reward of those that came to an end, NaN where none did; null for other stages.
    /// </summary>
    public double? Reward { get; init; }

    /// <summary>The share of the step's answers that did not come to an end, from which nothing is learned.</summary>
    public double? Truncated { get; init; }

    /// <summary>
    /// Mean reward of greedy answers to validation prompts that came to an end, NaN where none did; null where there
    /// was no evaluation.
    /// </summary>
    public double? ValReward { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Norm of all gradients, before clipping.</summary>
    public required double GradNorm { get; init; }

    /// <summary>Training speed since the last line.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Seconds trained so far, those before a resume included.</summary>
    public required double Seconds { get; init; }
}

/// <summary>
/// Writes <c>metrics.jsonl</c>: one JSON object a line with step, tokens, train_loss, val_loss and val_bits_per_byte
/// (on evaluation steps), lr, grad_norm, tokens_per_second and seconds. Each line reaches the system at once, so that
/// the file can be followed.
/// </summary>
public sealed class RunLog : IDisposable
{
    private readonly string path;
    private readonly SafeFileHandle file;
    private readonly ArrayBufferWriter<byte> line = new(512);
    private readonly Utf8JsonWriter json;
    private long length;

    private RunLog(string path, FileMode mode)
    {
        this.path = path;
        file = Guard(path, () =>
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
                Directory.CreateDirectory(folder);
            return File.OpenHandle(path, mode, FileAccess.Write, FileShare.Read | FileShare.Delete);
        });
        length = RandomAccess.GetLength(file);
        json = new Utf8JsonWriter(line);
    }

    /// <summary>Starts an empty log, in place of an earlier one.</summary>
    /// <exception cref="TinyLlmException">The file cannot be written.</exception>
    public static RunLog Create(string path) => new(path, FileMode.Create);

    /// <summary>
    /// Continues a log after step <paramref name="step"/>: drops lines of later steps and a last line that a kill cut
    /// short, by writing the rest to a new file and renaming it (<see cref="AtomicFile"/>). A file that is not there is
    /// begun.
    /// </summary>
    /// <exception cref="TinyLlmException">The file cannot be read or written, or another line than the last is
    /// damaged.</exception>
    public static RunLog Resume(string path, int step)
    {
        if (File.Exists(path))
        {
            bool whole = true;
            foreach ((JsonLine line, RunLogEntry? entry) in Lines(path))
                whole &= line.Complete && entry is { } known && known.Step <= step;
            if (!whole)
                AtomicFile.Write(path, stream => CopyUntil(path, step, stream));
        }

        return new RunLog(path, FileMode.OpenOrCreate);
    }

    /// <summary>Appends one line.</summary>
    /// <exception cref="TinyLlmException">The file cannot be written. What was written of the line is overwritten by
    /// the next.</exception>
    public void Append(RunLogEntry entry)
    {
        line.ResetWrittenCount();
        json.Reset();
        json.WriteStartObject();
        json.WriteNumber("step", entry.Step);
        json.WriteNumber("tokens", entry.Tokens);
        WriteNumber("train_loss", entry.TrainLoss);
        WriteNumber("val_loss", entry.ValLoss);
        WriteNumber("val_bits_per_byte", entry.ValBitsPerByte);
        WriteNumber("reward_margin", entry.RewardMargin);
        WriteNumber("reward_accuracy", entry.RewardAccuracy);
        WriteNumber("val_reward_margin", entry.ValRewardMargin);
        WriteNumber("val_reward_accuracy", entry.ValRewardAccuracy);
        WriteNumber("reward", entry.Reward);
        WriteNumber("truncated", entry.Truncated);
        WriteNumber("val_reward", entry.ValReward);
        WriteNumber("lr", entry.LearningRate);
        WriteNumber("grad_norm", entry.GradNorm);
        WriteNumber("tokens_per_second", entry.TokensPerSecond);
        WriteNumber("seconds", entry.Seconds);
        json.WriteEndObject();
        json.Flush();
        line.Write("\n"u8);

        Guard(path, () =>
        {
            RandomAccess.Write(file, line.WrittenSpan, length);
            return true;
        });
        length += line.WrittenCount;
    }

    /// <summary>Reads a log. A last line that a kill cut short is left out.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, or another line than the last is
    /// damaged.</exception>
    public static IReadOnlyList<RunLogEntry> Read(string path) =>
        [.. Lines(path).Where(pair => pair.Entry is not null).Select(pair => pair.Entry!)];

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        json.Dispose();
        file.Dispose();
    }

    private static void CopyUntil(string path, int step, Stream stream)
    {
        foreach ((JsonLine line, RunLogEntry? entry) in Lines(path))
        {
            if (entry is not { } known || known.Step > step)
                continue;
            stream.Write(line.Bytes.Span);
            stream.WriteByte((byte)'\n');
        }
    }

    // The lines that are not blank; the entry is null for a damaged last line.
    private static IEnumerable<(JsonLine Line, RunLogEntry? Entry)> Lines(string path)
    {
        long damaged = 0;
        foreach (JsonLine line in JsonLines.Read(path))
        {
            if (line.IsBlank)
                continue;
            if (damaged > 0)
            {
                throw new TinyLlmException(
                    $"{path}, line {damaged}: no line of a run's metrics; expected a JSON object with step, tokens, "
                    + "train_loss, lr, grad_norm, tokens_per_second and seconds. Remove the line.");
            }

            RunLogEntry? entry = Parse(line.Bytes);
            if (entry is null)
                damaged = line.Number;
            yield return (line, entry);
        }
    }

    private static RunLogEntry? Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            return new RunLogEntry
            {
                Step = row.GetProperty("step").GetInt32(),
                Tokens = row.GetProperty("tokens").GetInt64(),
                TrainLoss = Number(row.GetProperty("train_loss")),
                ValLoss = Optional(row, "val_loss"),
                ValBitsPerByte = Optional(row, "val_bits_per_byte"),
                RewardMargin = Optional(row, "reward_margin"),
                RewardAccuracy = Optional(row, "reward_accuracy"),
                ValRewardMargin = Optional(row, "val_reward_margin"),
                ValRewardAccuracy = Optional(row, "val_reward_accuracy"),
                Reward = Optional(row, "reward"),
                Truncated = Optional(row, "truncated"),
                ValReward = Optional(row, "val_reward"),
                LearningRate = Number(row.GetProperty("lr")),
                GradNorm = Number(row.GetProperty("grad_norm")),
                TokensPerSecond = Number(row.GetProperty("tokens_per_second")),
                Seconds = Number(row.GetProperty("seconds")),
            };
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException
            or InvalidOperationException or FormatException)
        {
            return null; // not JSON, a field missing, or of another type
        }
    }

    private static double? Optional(JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) ? Number(value) : null;

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Null ? double.NaN
        : value.GetDouble();

    private void WriteNumber(string name, double? value)
    {
        if (value is not { } number)
            return;
        if (double.IsFinite(number))
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    private static TResult Guard<TResult>(string path, Func<TResult> action)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Writing(path, exception, kept: false);
        }
    }
}
