using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Low-rank adapters of a model (E. Hu et al., "LoRA", 2021): y = x W^T + alpha / rank dropout(x) A^T B^T, of which
/// only A and B are trained.
/// </summary>
/// <param name="Rank">r: rows of A and columns of B.</param>
/// <param name="Alpha">The adapter's output is multiplied by alpha / rank.</param>
/// <param name="Targets">Names of the layers that have one, as files have them, such as <c>q_proj</c> or
/// <c>c_attn</c>.</param>
/// <param name="Dropout">Dropout probability of what A reads; used in training only.</param>
public sealed record LoraSettings(int Rank, float Alpha, IReadOnlyList<string> Targets, float Dropout = 0)
{
    /// <summary>Folder of the model that they are of.</summary>
    public string Base { get; init; } = "";

    /// <summary>Factor of an adapter's output.</summary>
    public float Scale => Alpha / Rank;

    /// <summary>The linear layers that an architecture has in each block.</summary>
    public static IReadOnlyList<string> LayersOf(Architecture architecture) => architecture == Architecture.Gpt2
        ? ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]
        : ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Whether a layer has an adapter: a target is its name or the last parts of it.</summary>
    /// <param name="module">The layer's name in files without <c>.weight</c>, such as
    /// <c>model.layers.0.self_attn.q_proj</c>.</param>
    public bool Covers(string module) =>
        Targets.Any(target => module == target || module.EndsWith("." + target, StringComparison.Ordinal));

    /// <summary>Checks the settings against an architecture.</summary>
    /// <exception cref="TinyLlmException">A value is out of range, or a target is no layer of the
    /// architecture.</exception>
    public void Validate(Architecture architecture)
    {
        if (Rank is < 1 or > 4096)
            throw new TinyLlmException($"--lora-rank {Rank}: expected 1 to 4096.");
        if (!(Alpha > 0 && float.IsFinite(Alpha)))
            throw new TinyLlmException($"--lora-alpha {Alpha}: expected a number above 0.");
        if (!(Dropout is >= 0 and < 1))
            throw new TinyLlmException($"--lora-dropout {Dropout}: expected 0 or more and less than 1.");
        string[] known = [.. LayersOf(architecture), "c_proj"];
        string? unknown = Targets.FirstOrDefault(
            t => architecture == Architecture.Gpt2 ? !known.Contains(t) : !LayersOf(architecture).Contains(t));
        if (Targets.Count == 0 || unknown is not null)
        {
            throw new TinyLlmException($"--lora-targets {unknown}: {architecture.ToString().ToLowerInvariant()} has "
                + $"the layers {string.Join(", ", LayersOf(architecture))}; name some of them, or all.");
        }
    }
}

/// <summary>All adapters of a model: their parameters, and the scratch memory that a pass lends them.</summary>
public sealed class LoraAdapter
{
    private readonly Backend backend;
    private readonly GptConfig config;
    private int count;
    private LoraScratch? scratch;
    private Tensor? state;

    internal LoraAdapter(Backend backend, GptConfig config)
    {
        (this.backend, this.config) = (backend, config);
        Settings = config.Lora!;
        Settings.Validate(config.Architecture);
    }

    /// <summary>Rank, scale and targets.</summary>
    public LoraSettings Settings { get; }

    /// <summary>A and B of each adapter, under PEFT's names.</summary>
    public ParameterTable Parameters { get; } = new();

    /// <summary>A hash of the base's weights, once it is known.</summary>
    internal string? BaseHash { get; set; }

    internal LoraScratch Scratch =>
        scratch ?? throw new InvalidOperationException("An adapter was used outside of a pass.");

    /// <summary>A layer's name in files.</summary>
    internal static string ModuleOf(FilePart part) => part.Name[..^".weight".Length];

    /// <summary>PEFT's name of A.</summary>
    internal static string NameOfA(FilePart part) => $"base_model.model.{ModuleOf(part)}.lora_A.weight";

    /// <summary>PEFT's name of B.</summary>
    internal static string NameOfB(FilePart part) => $"base_model.model.{ModuleOf(part)}.lora_B.weight";

    /// <summary>
    /// The adapters of a linear layer: one for each of the file's layers that are stacked in it and are targets.
    /// </summary>
    internal IReadOnlyList<LoraBranch> Of(Parameter weight)
    {
        List<LoraBranch> own = [];
        foreach (var part in weight.Parts)
        {
            if (!Settings.Covers(ModuleOf(part)))
                continue;
            int inputs = weight.Shape[1], rank = Settings.Rank;

            // As PEFT begins: A like a linear layer of PyTorch's, of the same variance, and B at zero, so that the
            // model is the base's.
            var a = Parameters.Add(
                NameOfA(part), (rank, inputs), Init.Normal(1 / Math.Sqrt(3.0 * inputs)), ParameterGroup.Matrix);
            // GPT-2's q, k and v are one layer of the files.
            var stackedRows = part.Rows == weight.Shape[0] ? weight.StackedRows : null;
            var b = Parameters.Add(
                NameOfB(part), (part.Rows, rank), Init.Zeros, ParameterGroup.Matrix,
                [new FilePart(NameOfB(part), 0, part.Rows)], stackedRows);
            own.Add(new LoraBranch(backend, this, part, a, b, DropoutSite.Adapter(config.Layers, count++)));
        }

        return own;
    }

    /// <summary>
    /// Gives the adapters what a pass needs: its scratch memory and, in training with dropout, the step state.
    /// </summary>
    internal void Use(LoraScratch scratch, Tensor? state) =>
        (this.scratch, this.state) = (scratch, Settings.Dropout > 0 ? state : null);

    /// <summary>The step state where what A reads is dropped.</summary>
    internal Tensor? DropoutState => state;
}

/// <summary>The adapter of one layer of the files: some rows of a linear layer in memory.</summary>
internal sealed class LoraBranch(
    Backend backend, LoraAdapter adapter, FilePart part, Parameter a, Parameter b, int site)
{
    /// <summary>y[:, rows] += scale dropout(x) A^T B^T; x (N, in), y (N, out).</summary>
    public void Forward(Tensor x, Tensor y)
    {
        var scratch = adapter.Scratch;
        Tensor h = scratch.Rank(x, a.Shape[0]), output = scratch.Output(x, part.Rows);
        backend.MatMul(Dropped(x), a.Working, null, h);
        backend.MatMul(h, b.Working, null, output);
        backend.AddScaled(output, adapter.Settings.Scale, Columns(y), accumulate: true);
    }

    /// <summary>
    /// Gradients of A and B from dy (N, out) and x (N, in), overwritten unless the pass accumulates; dx (N, in) is
    /// added to.
    /// </summary>
    /// <remarks>dropout(x) A^T is computed once more: it is less work than keeping it is memory.</remarks>
    public void Backward(Tensor dy, Tensor x, Tensor dx, ForwardPass pass)
    {
        var scratch = adapter.Scratch;
        Tensor h = scratch.Rank(x, a.Shape[0]), dh = scratch.RankGradient(x, a.Shape[0]),
            d = scratch.Output(x, part.Rows), dropped = Dropped(x);
        backend.MatMul(dropped, a.Working, null, h);
        backend.AddScaled(Columns(dy), adapter.Settings.Scale, d, accumulate: false);
        backend.MatMulBackwardWeight(d, h, b.Gradient!.Value, null, pass.Accumulate);
        backend.MatMulBackwardInput(d, b.Working, dh);
        backend.MatMulBackwardWeight(dh, dropped, a.Gradient!.Value, null, pass.Accumulate);
        if (adapter.DropoutState is not { } state)
        {
            backend.MatMulBackwardInput(dh, a.Working, dx, accumulate: true);
            return;
        }

        backend.MatMulBackwardInput(dh, a.Working, dropped);
        backend.Dropout(dropped, dropped, adapter.Settings.Dropout, state, site);
        backend.AddScaled(dropped, 1, dx, accumulate: true);
    }

    private Tensor Dropped(Tensor x)
    {
        if (adapter.DropoutState is not { } state)
            return x;
        var dropped = adapter.Scratch.Input(x);
        backend.Dropout(x, dropped, adapter.Settings.Dropout, state, site);
        return dropped;
    }

    private Tensor Columns(Tensor y) => y.Slice(1, part.FirstRow, part.Rows);
}

/// <summary>Memory of one adapter at a time, for batches of one size: all share it.</summary>
internal sealed class LoraScratch
{
    private readonly Tensor rank, rankGradient, output, input;

    public LoraScratch(Arena arena, GptConfig config, LoraSettings lora, int rows)
    {
        var type = config.ComputeType;
        int widest = Math.Max(Math.Max(config.Heads * config.HeadSize, config.MlpWidth), config.Width);
        bool stacked = config.Architecture == Architecture.Gpt2; // c_attn is one layer of the files
        rank = arena.Add("lora.h", rows * lora.Rank, type);
        rankGradient = arena.Add("lora.d.h", rows * lora.Rank, type);
        output = arena.Add("lora.output", rows * Math.Max(widest, stacked ? 3 * config.Width : 0), type);
        if (lora.Dropout > 0)
            input = arena.Add("lora.input", rows * widest, type);
    }

    /// <summary>(N, r) for an input of N rows.</summary>
    public Tensor Rank(Tensor x, int r) => Of(rank, x.Shape[0], r);

    /// <summary>(N, r).</summary>
    public Tensor RankGradient(Tensor x, int r) => Of(rankGradient, x.Shape[0], r);

    /// <summary>(N, columns).</summary>
    public Tensor Output(Tensor x, int columns) => Of(output, x.Shape[0], columns);

    /// <summary>The shape of x; only with dropout.</summary>
    public Tensor Input(Tensor x) => Of(input, x.Shape[0], x.Shape[1]);

    private static Tensor Of(Tensor memory, int rows, int columns) =>
        memory.Slice(0, 0, rows * columns).View((rows, columns));
}
