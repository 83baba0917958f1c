using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// What pretrain and finetune refuse: one line, exit code 2 (1 where the parser refuses), and no file written or lost.
/// </summary>
public sealed class BadTrainingInputTests(BadTrainingInputTests.Fixture fixture)
    : IClassFixture<BadTrainingInputTests.Fixture>
{
    private readonly SmallRun run = fixture.Run;

    [Theory]
    [InlineData("--data missing.txt", "missing.txt: there is no such file")]
    [InlineData("--data empty.txt", "empty.txt: the file is empty")]
    [InlineData("--data folder", "folder: there is no file in this folder")]
    [InlineData("--data short.txt", "expected at least 17, one more than --context 16")]
    [InlineData("--data text.txt --data missing.txt", "missing.txt")]
    [InlineData("--data text.txt --val-data empty.txt", "empty.txt")]
    [InlineData("--data builtin:poems", "builtin:stories or builtin:questions")]
    public void Pretrain_RefusesData(string data, string part) =>
        run.Refuse($"pretrain {data} {SmallRun.Sizes} --context 16 --batch-size 2 --steps 2 --out new", part);

    [Theory]
    [InlineData("--layers 1 --width 33 --heads 2", "--heads 2 does not divide --width 33")]
    [InlineData("--layers 1 --width 32 --heads 4 --kv-heads 3", "--kv-heads 3 does not divide --heads 4")]
    [InlineData("--layers 1 --width 32 --heads 4 --kv-heads 0", "--kv-heads 0")]
    [InlineData("--layers 1 --width 32 --heads 4 --kv-heads 2 --arch gpt2", "--kv-heads 2")]
    [InlineData("--layers 0 --width 32 --heads 2", "--layers 0")]
    [InlineData("--layers 1 --width 0 --heads 2", "--width 0")]
    [InlineData("--layers 1 --width 32 --heads 0", "--heads 0")]
    [InlineData("--layers 1 --width 6 --heads 2", "RoPE needs an even one")]
    [InlineData("--layers 1 --width 32 --heads 2 --context 0", "--context 0")]
    [InlineData("--layers 1 --width 32 --heads 2 --tokenizer folder", "folder/tokenizer.json")]
    [InlineData("--layers 1 --width 32 --heads 2 --vocab-size 5", "A bpe vocabulary of 5")]
    [InlineData("--layers 1000000000 --width 32 --heads 2", "--layers 1000000000")]
    [InlineData("--layers 10000000 --width 32768 --heads 2", "MiB are free")]
    [InlineData("--layers 1 --width 2000000000 --heads 2", "--width 2000000000")]
    [InlineData("--layers 1 --width 32 --heads 2 --context 2000000000", "--context 2000000000")]
    public void Pretrain_RefusesSizes(string sizes, string part) =>
        run.Refuse($"pretrain --data text.txt {sizes} --steps 2 --out new", part);

    [Theory]
    [InlineData("--batch-size 0", "--batch-size 0")]
    [InlineData("--batch-size 4000000 --micro-batch 4000000", "a smaller batch")]
    [InlineData("--batch-size 4 --micro-batch 3", "--micro-batch 3 does not divide --batch-size 4; expected 0 (as "
        + "many rows as fit) or a divisor, such as 2")]
    [InlineData("--micro-batch 4", "--micro-batch 4 does not divide --batch-size 2")]
    [InlineData("--micro-batch -1", "--micro-batch -1")]
    [InlineData("--accumulate 0", "--accumulate 0")]
    [InlineData("--accumulate 2000000000", "--accumulate 2000000000: expected at most 1073741823 with --batch-size 2")]
    [InlineData("--lr -1", "--lr is -1")]
    [InlineData("--lr 1e39", "--lr is 1e39")]
    [InlineData("--lr 0.001 --min-lr 0.1", "--min-lr is 0.1")]
    [InlineData("--warmup 3 --steps 3", "--warmup is 3; expected 0 to 2, fewer than --steps (3)")]
    [InlineData("--steps 0", "--steps is 0")]
    [InlineData("--dropout 1", "--dropout 1")]
    [InlineData("--clip -1", "--clip -1")]
    [InlineData("--optimizer muon --muon-lr 0", "--muon-lr 0: expected a number above 0")]
    [InlineData("--optimizer adamw --muon-lr 0.02", "expected --optimizer muon")]
    [InlineData("--keep 0", "--keep 0")]
    [InlineData("--stop-after -1", "--stop-after -1")]
    [InlineData("--eval-every -1", "--eval-every -1")]
    [InlineData("--eval-batches -1", "--eval-batches -1")]
    [InlineData("--threads -1", "--threads -1")]
    [InlineData("--threads 100000", "--threads 100000")]
    [InlineData("--device cuda", "--device cuda")]
    public void Pretrain_RefusesSettings(string settings, string part)
    {
        string sizes = settings.Contains("--threads", StringComparison.Ordinal)
            ? SmallRun.Sizes.Replace("--threads 1", "", StringComparison.Ordinal) : SmallRun.Sizes;
        string batch = settings.Contains("--batch-size", StringComparison.Ordinal) ? "" : "--batch-size 2";
        run.Refuse($"pretrain --data text.txt {sizes} --context 16 {batch} {settings} --out new", part);
    }

    [Fact]
    public void Pretrain_NamesTheFolderOfInit_NotAnotherOption()
    {
        foreach (string folder in new[] { "nowhere", "folder" })
        {
            var result = run.CommandLine.Run($"pretrain --data text.txt --init {folder} --steps 2 --out new");
            SmallRun.CheckRefused(
                result, 2, $"{folder}: there is no ",
                "expected the folder of a model, as pretrain or finetune writes it");
            Assert.DoesNotContain("--model", result.Error, StringComparison.Ordinal);
        }

        run.Refuse("pretrain --data text.txt --tokenizer subword --steps 2 --out new", "--tokenizer subword",
            "Did you mean bpe?", "cl100k");
    }

    [Fact]
    public void Pretrain_RefusesAFolderThatHoldsARun_AndLeavesItAlone()
    {
        run.Refuse($"{SmallRun.Pretrain} --steps 2 --out base", "holds a run already", "--resume", "--force");
        run.Refuse($"{SmallRun.Pretrain} --steps 2 --out text.txt", "text.txt");

        // Even with --force the old run stays until nothing can refuse the new one.
        run.Refuse($"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 4000000 --micro-batch "
            + "4000000 --out base --force", "a smaller batch");
        run.Refuse($"{SmallRun.Pretrain} --eval-batches -1 --out base --force", "--eval-batches");
        run.Refuse("finetune --model base --data broken.jsonl --out base --force", "broken.jsonl");
    }

    [Theory]
    [InlineData("--model base", "rows.jsonl --val-data missing.jsonl", "missing.jsonl: there is no such file")]
    [InlineData("--model base", "missing.jsonl", "missing.jsonl: there is no such file")]
    [InlineData("--model base", "empty.txt", "empty.txt: has no rows")]
    [InlineData("--model base", "folder", "there is no file in this folder")]
    [InlineData("--model base", "broken.jsonl", "broken.jsonl, line 3: no valid JSON")]
    [InlineData("--model base", "incomplete.jsonl", "incomplete.jsonl, line 2: \"answer\" is missing")]
    [InlineData("--model base", "questions.jsonl", "no row with an assistant's answer")]
    [InlineData("--model base", "one.jsonl", "one.jsonl: 1 row; expected two or more")]
    [InlineData("--model base", "builtin:stories", "builtin:questions")]
    [InlineData("--model nowhere", "rows.jsonl", "nowhere: there is no such folder")]
    [InlineData("--model folder", "rows.jsonl", "folder: there is no config.json")]
    [InlineData("", "rows.jsonl", "expected --model DIR")]
    [InlineData("--model base --batch-size 0", "rows.jsonl", "--batch-size 0")]
    [InlineData("--model base --device opencl", "rows.jsonl", "--device opencl")]
    public void Finetune_Refuses(string options, string data, string part) =>
        run.Refuse($"finetune {options} --data {data} --out new", part);

    [Theory]
    [InlineData("pretrain --foo", "--foo")]
    [InlineData("pretrain --stps 3", "Did you mean --steps?")]
    [InlineData("pretrian", "Did you mean pretrain?")]
    [InlineData("pretrain --steps x", "--steps x: expected a whole number such as 100")]
    [InlineData("pretrain --lr fast", "--lr fast: expected a number such as 0.001")]
    [InlineData("pretrain --seed -1", "--seed")]
    [InlineData("pretrain --optimizer sgd", "'sgd'", "'adamw' 'muon'")]
    [InlineData("finetune --optimizer sgd", "'sgd'", "'adamw' 'muon'")]
    [InlineData("pretrain --arch rnn", "'rnn'", "'qwen3' 'llama' 'gpt2'")]
    [InlineData("pretrain --data", "--data")]
    [InlineData("pretrain --steps 99999999999", "--steps")]
    [InlineData("generate", "'--model' is required", "generate --help")]
    [InlineData("tokenizer", "Required command", "tokenizer --help")]
    [InlineData("tokenizer train --out x", "'--data' is required", "tokenizer train --help")]
    public void TheParser_RefusesWords_WithCodeOne(string words, params string[] parts) =>
        SmallRun.CheckRefused(run.CommandLine.Run(words), 1, parts);

    [Theory]
    [InlineData("pretrain --data")]
    [InlineData("pretrain --out")]
    [InlineData("pretrain --tokenizer")]
    [InlineData("info --model")]
    [InlineData("tokenizer encode --tokenizer base --input")]
    public void AnEmptyPath_IsRefused(string words) =>
        SmallRun.CheckRefused(run.CommandLine.Run(words, ""), 1, "is empty");

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Folder.Write("empty.txt", "");
            Run.Folder.Write("short.txt", "hello\n");
            Run.Folder.Write("broken.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n\n{\"question\": \"a\", \n");
            Run.Folder.Write("incomplete.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n{\"question\": \"a\"}\n");
            Run.Folder.Write(
                "questions.jsonl",
                string.Concat(
                    Enumerable.Repeat("{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}\n", 4)));
            Run.Folder.Write("one.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n");
            Directory.CreateDirectory(Run["folder"]);
            Run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 2 "
                + "--sample-every 0 --out base");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
