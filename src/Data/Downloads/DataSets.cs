namespace TinyLlm.Data.Downloads;

/// <summary>
/// The data sets that <c>tinyllm data get</c> knows. Addresses name a fixed version, so that sizes and sums hold;
/// <c>docs/data-sets.md</c> says how one is added. A file without a sum gets it at its first download
/// (<see cref="SumsFile"/>).
/// </summary>
public static class DataSets
{
    private const string HuggingFace = "https://huggingface.co/datasets/";
    private const string GitHub = "https://raw.githubusercontent.com/";
    private const string Shakespeare = GitHub
        + "karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/";
    private const string Stories = HuggingFace
        + "roneneldan/TinyStories/resolve/f54c09fd23315a6f9c86f9dc80f725de7d8f9c64/";
    private const string StoriesInstruct = HuggingFace
        + "roneneldan/TinyStoriesInstruct/resolve/ee050ed1f8720795be342921335e821856a2b42e/";
    private const string FineWebEdu = HuggingFace
        + "HuggingFaceFW/fineweb-edu/resolve/87f09149ef4734204d70ed1d046ddc9ca3f2b8f9/sample/10BT/";
    private const string GradeSchoolMath = GitHub
        + "openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/";
    private const string WikiText = HuggingFace + "ggml-org/ci/resolve/927b3642933080f1b0e811e2f916e14c292992f9/";
    private const string Dolly = HuggingFace
        + "databricks/databricks-dolly-15k/resolve/bdd27f4d94b9c1f951818a7da7fd7aeea5dbff1a/";

    // The sample of 10 billion tokens in files of about 750 million, and a rest.
    private static readonly (long Bytes, string Sha256)[] FineWebEduFiles =
    [
        (2_152_819_114, "b1ba7b2ce4cb5ea6ef42dca40263eabb85f37700d01693a68e9b30a31d78e871"),
        (2_152_222_432, "3fcf2dc69cd52503986276d3d2d26a8c356d0f2ea28a0de4fdbda8cf87755693"),
        (2_151_796_315, "547ae182d132c9f06b6ce63149567208ea9f57630bfd9b1a2938e504f0c9ebd7"),
        (2_152_437_524, "22184e6eb25759ddd97783751ffc73e1705dfa2542e630dae1f2a8bac8ee6ddb"),
        (2_152_338_550, "33557ddd87a07a4ae6fcaf7a4789c7b484e5cc0c273ca12a65b74200e6d8748b"),
        (2_152_189_947, "e08d79927ecb377786572cd854817c748ceb8880878b1a0eb91abf8c85d505ea"),
        (2_152_689_867, "554fa2613c9261d6c9c396caab881de3160175794c6c3e1856bf28a0e9cb9b76"),
        (2_150_686_637, "4b7d1f697d4afff7f5f65cb7aa4d83acc6db716da4d46ea23399d0c50608c6e3"),
        (2_151_274_846, "a6d9dcc0c72ecd7c7f0173c2d06b3a4249a2ccaa94961469d1a522ca689bbf1a"),
        (2_151_913_277, "f836cd3c70b95776699eb6c356b2dbf702816e25dcf39992f5c80a29029d23c3"),
        (2_152_798_864, "e5a2eae25f057f0856a10bfae314c6ca8ea8bb08456d2131e9e89b2b8305e2f6"),
        (2_152_323_681, "db71cf0425bb3d1813a09f12ff1acd6dabdfb91a2e4f141960254ee5a7f036e7"),
        (2_152_069_689, "08b47a3e1c25161f796d2f8dbf99ccf60affdebdcea4910833d0d5783315551f"),
        (540_632_672, "b393f51fefab26cd6f4c8f65707c1924f6666c4961a0ebebe04bb57f7ec832de"),
    ];

    /// <summary>All sets, by name.</summary>
    public static IReadOnlyList<DataSet> All { get; } =
    [
        new("dolly", "15,011 instructions and answers written by people (databricks-dolly-15k)", "CC BY-SA 3.0",
            "https://huggingface.co/datasets/databricks/databricks-dolly-15k", DataUse.Finetune,
        [
            new(Dolly + "databricks-dolly-15k.jsonl",
                new("dolly-15k.jsonl", 13_085_339, "2df9083338b4abd6bceb5635764dab5d833b393b55759dffb0959b6fcbf794ec")),
        ]),
        new("enwik8", "the first 100 million bytes of the English Wikipedia of 2006, as XML (Hutter Prize)",
            "GFDL, CC BY-SA",
            "https://mattmahoney.net/dc/textdata.html", DataUse.Pretrain,
        [
            new("https://mattmahoney.net/dc/enwik8.zip",
                new("enwik8.zip", 36_445_475, "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc"))
            {
                Members =
                [
                    new("enwik8", new("enwik8.txt", 100_000_000,
                        "2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8")),
                ],
            },
        ]),
        new("fineweb-edu", "educational web pages, about 0.75 billion tokens: the first file of FineWeb-Edu's sample "
            + "of 10 billion", "ODC-By 1.0",
            "https://huggingface.co/datasets/HuggingFaceFW/fineweb-edu", DataUse.Pretrain, [FineWebEduFile(0)]),
        new("fineweb-edu-10bt", "educational web pages, about 10 billion tokens: all 14 files of that sample",
            "ODC-By 1.0",
            "https://huggingface.co/datasets/HuggingFaceFW/fineweb-edu", DataUse.Pretrain,
            [.. FineWebEduFiles.Select((_, index) => FineWebEduFile(index))]),
        new("gsm8k", "8,792 word problems of grade-school mathematics with worked answers", "MIT",
            "https://github.com/openai/grade-school-math", DataUse.Finetune,
        [
            new(GradeSchoolMath + "train.jsonl",
                new("gsm8k-train.jsonl", 4_166_206,
                    "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465")),
            new(GradeSchoolMath + "test.jsonl",
                new("gsm8k-test.jsonl", 749_738, "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
                    Split.Test)),
        ]),
        new("tinyshakespeare", "scenes of Shakespeare's plays in one text, as in char-rnn and nanoGPT", "public domain",
            "https://github.com/karpathy/char-rnn", DataUse.Pretrain,
        [
            new(Shakespeare + "input.txt",
                new("tinyshakespeare.txt", 1_115_394,
                    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")),
        ]),
        new("tinystories", "2.1 million short stories in the words of a small child, by GPT-3.5 and GPT-4",
            "CDLA-Sharing 1.0",
            "https://huggingface.co/datasets/roneneldan/TinyStories", DataUse.Pretrain,
        [
            new(Stories + "TinyStories-train.txt",
                new("TinyStories-train.txt", 1_924_281_556,
                    "c5cf5e22ff13614e830afbe61a99fbcbe8bcb7dd72252b989fa1117a368d401f")),
            new(Stories + "TinyStories-valid.txt",
                new("TinyStories-valid.txt", 19_447_282,
                    "94e431816c4cce81ff71e4408ff8d3bda9a42e8d2663986697c3954288cb38b4", Split.Validation)),
        ]),
        new("tinystories-instruct", "the stories with what was asked for: words, features, summary", "CDLA-Sharing 1.0",
            "https://huggingface.co/datasets/roneneldan/TinyStoriesInstruct", DataUse.Pretrain,
        [
            new(StoriesInstruct + "TinyStories-Instruct-train.txt", new("TinyStories-Instruct-train.txt")),
            new(StoriesInstruct + "TinyStories-Instruct-valid.txt",
                new("TinyStories-Instruct-valid.txt", Split: Split.Validation)),
        ]),
        new("tinystories-v2", "2.7 million such stories by GPT-4 alone", "CDLA-Sharing 1.0",
            "https://huggingface.co/datasets/roneneldan/TinyStories", DataUse.Pretrain,
        [
            new(Stories + "TinyStoriesV2-GPT4-train.txt",
                new("TinyStoriesV2-GPT4-train.txt", 2_227_753_162,
                    "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443")),
            new(Stories + "TinyStoriesV2-GPT4-valid.txt",
                new("TinyStoriesV2-GPT4-valid.txt", 22_502_601,
                    "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d", Split.Validation)),
        ]),
        new("wikitext-2", "good articles of the English Wikipedia, every word as it stands (WikiText-2 raw)",
            "CC BY-SA 3.0",
            "https://huggingface.co/datasets/Salesforce/wikitext", DataUse.Pretrain,
        [
            new(WikiText + "wikitext-2-raw-v1.zip",
                new("wikitext-2-raw-v1.zip", 4_721_645,
                    "ef7edb566e3e2b2d31b29c1fdb0c89a4cc683597484c3dc2517919c615435a11"))
            {
                Members =
                [
                    new("wikitext-2-raw/wiki.train.raw",
                        new("wiki.train.txt", 10_940_747,
                            "6707892fa3788b5ab9ed78ab5ff37d9fe825f6011a2ad4fcd6a6d467f0e7da57")),
                    new("wikitext-2-raw/wiki.valid.raw",
                    new("wiki.valid.txt", 1_146_846, "4cd0f6876d07a413aa911261ff6d363c72d757d47f0fdd6015702014c89cb9c7",
                        Split.Validation)),
                    new("wikitext-2-raw/wiki.test.raw",
                    new("wiki.test.txt", 1_290_590, "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08",
                        Split.Test)),
                ],
            },
        ]),
    ];

    /// <summary>The set of this name.</summary>
    /// <exception cref="TinyLlmException">There is none.</exception>
    public static DataSet Find(string name) => All.FirstOrDefault(set => set.Name == name)
        ?? throw new TinyLlmException($"data get: there is no set \"{name.ReplaceLineEndings(" ")}\"; expected one of "
        + $"{string.Join(", ", All.Select(set => set.Name))}.");

    private static RemoteFile FineWebEduFile(int index)
    {
        var (bytes, sum) = FineWebEduFiles[index];
        return new($"{FineWebEdu}{index:D3}_00000.parquet", new($"fineweb-edu-{index:D3}.parquet", bytes, sum));
    }
}
