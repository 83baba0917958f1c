using System.CommandLine;
using System.Globalization;
using System.Text;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Data;
using TinyLlm.Training.Data.Sources;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm eval</c>: how well a model predicts a text, or answers questions.</summary>
internal static class EvalCommand
{
    private const int MaxAnswerTokens = 64;

    private static readonly Option<string> ModelFolderOption = LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);
    private static readonly Option<string[]> Data = LoopOptions.Path<string[]>("--data", "PATH", "Text as pretrain's --data, conversations (.jsonl, also .gz or .zst; its first row tells) or builtin:questions; many times.", required: true);
    private static readonly Option<string> SplitOption = LoopOptions.Choice("--split", "Split of a built-in corpus; absent: test.", "train", "validation", "test");
    private static readonly Option<bool> ExactMatch = new("--exact-match") { Description = "Conversations only: answer each last turn greedily and count the answers that are equal to the row's." };
    private static readonly Option<int> BatchSize = new("--batch-size") { HelpName = "N", Description = "Rows of a batch.", DefaultValueFactory = _ => 8 };
    private static readonly DataOptions Reading = new();
    private static readonly DeviceOptions Device = new();
    private static readonly WeightsOption Weights = new();

    public static Command Create()
    {
        var command = new Command("eval", "Measure a model on a text: loss, perplexity, bits per byte; on conversations also exact answers.")
        {
            ModelFolderOption, Data, SplitOption, ExactMatch, BatchSize,
        };
        Reading.AddTo(command);
        Device.AddTo(command);
        Weights.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        int b = parse.GetValue(BatchSize);
        if (b < 1)
            throw new TinyLlmException($"--batch-size {b}: expected 1 or more.");
        var split = Enum.Parse<Split>(parse.GetValue(SplitOption) ?? "test", ignoreCase: true);
        using var device = Device.Open(parse);
        var (model, tokenizer) = ModelFolder.Load(parse.GetValue(ModelFolderOption)!, device.Backend, device.ComputeType, weightType: Weights.Read(parse, device));
        using var owner = model;
        foreach (string source in parse.GetValue(Data)!)
        {
            bool chat = ChatData.IsChat(source, Reading.TextField(parse));
            if (parse.GetValue(ExactMatch) && !chat)
                throw new TinyLlmException($"--exact-match: {source} holds no conversations; expected a .jsonl file or builtin:questions.");

            IReadOnlyList<Conversation> rows = chat ? ChatData.Read(source, split) : [];
            using var corpus = chat ? null : OpenText(source, split, tokenizer, model.Config.Context, parse, stop);
            if (Evaluate(model, tokenizer, corpus?.Validation ?? new ChatExamples(rows, tokenizer, model.Config.Context), b, stop) is not { } e)
                return ExitCode.Interrupted;
            Print(source, $"{e.Tokens:N0} tokens  loss {e.Loss:F4}  perplexity {e.Perplexity:F3}  {e.BitsPerByte:F4} bits/byte");
            if (parse.GetValue(ExactMatch))
            {
                var (right, all) = CountExact(model, tokenizer, rows, stop);
                Print(source, string.Create(CultureInfo.InvariantCulture, $"exact match {right} of {all}, {100.0 * right / all:F1}%"));
            }
        }

        return stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Done;
    }

    private static void Print(string source, string text) => Console.WriteLine($"{source}: {text}");

    // Encoded in memory, whatever its size: what is measured once leaves nothing on the disk.
    private static Corpus OpenText(string word, Split split, Tokenizer tokenizer, int context, ParseResult parse, CancellationToken stop)
    {
        var source = DataSource.Parse([word], Reading.Read(parse))[0];
        if (source.Weight is not null)
            throw new TinyLlmException($"--data {word}: an evaluation has no weights; each --data has its own line.");
        var corpus = Corpus.Open(source, split, tokenizer, context, stop);
        PreparationView.ShowBadLines(corpus.Report);
        return corpus;
    }

    private static Evaluation? Evaluate(Gpt model, Tokenizer tokenizer, IExamples examples, int b, CancellationToken stop)
    {
        using var arena = new Arena(model.Backend, "evaluation");
        var activations = new Activations(arena, model.Config, b, examples.Length, training: false);
        arena.Allocate();
        return new Evaluator(examples, tokenizer, b).Evaluate(model, activations, stop);
    }

    // The last answer of each row, against the model's likeliest one.
    private static (int Right, int All) CountExact(Gpt model, Tokenizer tokenizer, IReadOnlyList<Conversation> rows, CancellationToken stop)
    {
        using var generator = new Generator(model);
        int right = 0, all = 0;
        foreach (var row in rows)
        {
            int last = row.Messages.ToList().FindLastIndex(m => m.Role == ChatTemplate.Assistant);
            if (last < 1 || stop.IsCancellationRequested)
                continue;
            all++;
            string answer = Answer(generator, model, tokenizer, row.Messages.Take(last).ToList());
            right += answer.Trim() == row.Messages[last].Content.Trim() ? 1 : 0;
        }

        return all > 0 ? (right, all) : throw new TinyLlmException("--exact-match: no row has an assistant's answer after a question.");
    }

    private static string Answer(Generator generator, Gpt model, Tokenizer tokenizer, IReadOnlyList<ChatMessage> messages)
    {
        var bytes = new List<byte>();
        var greedy = new Sampler(new SamplerSettings { Temperature = 0 }, 0, model.Config.VocabularySize);
        generator.Generate(ChatTemplate.EncodePrompt(tokenizer, messages), MaxAnswerTokens, greedy, token =>
        {
            if (tokenizer.EndsText(token))
                return false;
            bytes.AddRange(tokenizer.TokenBytes(token));
            return true;
        });
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
