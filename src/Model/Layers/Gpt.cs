using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>What a pass through the blocks reads besides the residual stream.</summary>
/// <param name="Positions">(B, T) I32.</param>
/// <param name="RopeTable">(Tmax, D) F32; unused by gpt2.</param>
/// <param name="Mask">Which keys each query sees.</param>
/// <param name="Cache">Where keys and values are kept in decoding.</param>
/// <param name="Dropout">Probability, 0 outside training.</param>
/// <param name="State">Step state; needed where there is dropout.</param>
/// <param name="Accumulate">Whether the backward pass adds to the gradients of matrices rather than overwriting
/// them.</param>
internal readonly record struct ForwardPass(
    Tensor Positions, Tensor RopeTable, AttentionMask Mask, KvCache? Cache, float Dropout, Tensor? State,
    bool Accumulate = true);

/// <summary>
/// A GPT-style language model: token table, blocks, final norm, head. Forward and backward are written once for all
/// backends and architectures; the kinds of norm, MLP and position are chosen where the layers are made.
/// </summary>
public sealed class Gpt : IDisposable
{
    /// <summary>
    /// Standard deviation of initial weights; projections into the residual stream have it over sqrt(2L) (GPT-2,
    /// section 2.3).
    /// </summary>
    public const double InitDeviation = 0.02;

    private readonly Arena values, working;
    private readonly Arena? adapterValues, adapterWorking;
    private readonly Block[] blocks;
    private readonly Norm finalNorm;
    private readonly Parameter tokenTable, head;
    private readonly Parameter? positionTable;
    private readonly Tensor ropeTable;
    private Arena? gradients;
    private (Parameter First, Parameter Last)[] added = []; // the parameters to whose gradients a pass only adds

    /// <summary>
    /// Builds the model and takes the memory of its weights, which are zero until they are initialised or loaded.
    /// </summary>
    /// <exception cref="TinyLlmException">The sizes do not fit together, or the memory is not there.</exception>
    public Gpt(GptConfig config, Backend backend)
    {
        config.Validate();

        // Asked before the first layer is made: a million of them would fill the memory by their names alone.
        backend.CheckFits(
            config.WeightType.Size() * config.MatrixWeights, "The model's weights",
            "a smaller --layers, --width or --vocab-size shrinks them");
        (Config, Backend) = (config, backend);
        Parameters = new ParameterTable();

        Adapter = config.Lora is null ? null : new LoraAdapter(backend, config);

        bool gpt2 = config.Architecture == Architecture.Gpt2;
        string tokens = gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
        tokenTable = VocabularyTable(tokens);
        if (config.LearnedPositions)
        {
            positionTable = Parameters.Add(
                "transformer.wpe.weight", (config.Context, config.Width), Init.Normal(InitDeviation),
                ParameterGroup.Embedding);
        }

        blocks = Enumerable.Range(0, config.Layers)
            .Select(layer => new Block(backend, config, Parameters, Adapter, layer)).ToArray();
        finalNorm = gpt2
            ? Gpt2Layer.Norm(backend, Parameters, "transformer.ln_f", config)
            : new Norm(backend, Parameters.Add("model.norm.weight", config.Width, Init.Ones, ParameterGroup.Vector),
                null, config.NormEpsilon);
        head = config.TiedHead ? tokenTable : VocabularyTable("lm_head.weight");

        values = new Arena(backend, "parameters");
        Parameters.PlanValues(values, config.WeightType);
        ropeTable = values.Add("rope table", (config.Context, config.HeadSize));
        values.Allocate();
        working = new Arena(backend, "working weights");
        Parameters.PlanWorking(working, config.ComputeType);
        working.Allocate();
        if (Adapter is not null)
        {
            adapterValues = new Arena(backend, "adapters");
            Adapter.Parameters.PlanValues(adapterValues);
            adapterValues.Allocate();
            adapterWorking = new Arena(backend, "working adapters");
            Adapter.Parameters.PlanWorking(adapterWorking, config.ComputeType);
            adapterWorking.Allocate();
        }

        if (!config.LearnedPositions)
        {
            backend.Write(
                ropeTable, Backend.RopeTable(config.Context, config.HeadSize, config.RopeBase, config.RopeDivisor));
        }

        Parameter VocabularyTable(string name) =>
            Parameters.Add(name, (config.PaddedVocabulary, config.Width), Init.Normal(InitDeviation),
                ParameterGroup.Embedding, [new FilePart(name, 0, config.VocabularySize)]);
    }

    /// <summary>Sizes and kinds.</summary>
    public GptConfig Config { get; }

    /// <summary>Where the model lives.</summary>
    public Backend Backend { get; }

    /// <summary>All weights.</summary>
    public ParameterTable Parameters { get; }

    /// <summary>The adapters, where <see cref="GptConfig.Lora"/> asks for some.</summary>
    public LoraAdapter? Adapter { get; }

    /// <summary>What is trained: the adapters where there are some, else all weights.</summary>
    public ParameterTable Trained => Adapter?.Parameters ?? Parameters;

    /// <summary>Bytes of the weights in memory.</summary>
    public long Bytes => values.Bytes + working.Bytes + (adapterValues?.Bytes ?? 0) + (adapterWorking?.Bytes ?? 0);

    /// <summary>
    /// The trained weights from <paramref name="first"/> to <paramref name="last"/>, in the order of the table, as one
    /// row of memory.
    /// </summary>
    public Tensor ValueRange(Parameter first, Parameter last) =>
        (adapterValues ?? values).Range(first.Value, last.Value);

    /// <summary>
    /// The working copies of the trained weights from <paramref name="first"/> to <paramref name="last"/>; none where
    /// the passes compute with the weights themselves.
    /// </summary>
    public Tensor? WorkingRange(Parameter first, Parameter last) =>
        first.HasWorkingCopy ? (adapterWorking ?? working).Range(first.Working, last.Working) : null;

    /// <summary>
    /// The gradients from <paramref name="first"/> to <paramref name="last"/>, laid out as the weights; after
    /// <see cref="PlanGradients"/>.
    /// </summary>
    public Tensor GradientRange(Parameter first, Parameter last) =>
        gradients!.Range(first.Gradient!.Value, last.Gradient!.Value);

    /// <summary>All gradients.</summary>
    public Tensor AllGradients => GradientRange(Trained.All[0], Trained.All[^1]);

    /// <summary>Draws the initial weights of the model itself.</summary>
    public void Initialize(ulong seed)
    {
        Parameters.Initialize(Backend, seed);
        UpdateWorking();
    }

    /// <summary>Draws the initial weights of the adapters, which change nothing yet.</summary>
    public void InitializeAdapter(ulong seed)
    {
        Adapter!.Parameters.Initialize(Backend, seed);
        UpdateWorking();
    }

    /// <summary>
    /// Gives a parameter its weights: <paramref name="fill"/> writes <see cref="Parameter.Shape"/> floats, which are
    /// rounded where the parameter is <see cref="Parameter.Quantized"/>.
    /// </summary>
    public void Write(Parameter parameter, Action<Span<float>> fill)
    {
        if (parameter.Quantized is { } quantized)
        {
            var values = new float[parameter.Shape.Count];
            fill(values);
            Backend.Quantize(values, quantized);
        }
        else
        {
            Backend.Write(parameter.Value, fill);
        }
    }

    /// <summary>
    /// Makes the working copies follow the weights, after these were written by anyone but the optimiser.
    /// </summary>
    public void UpdateWorking()
    {
        foreach (var parameter in Parameters.All.Concat(Adapter?.Parameters.All ?? []).Where(p => p.HasWorkingCopy))
            Backend.Cast(parameter.Value, parameter.Working);
    }

    /// <summary>
    /// Plans the gradients of what is trained in <paramref name="arena"/>: the model can be trained once it is
    /// allocated.
    /// </summary>
    public void PlanGradients(Arena arena)
    {
        gradients = arena;
        Trained.PlanGradients(arena);
        added = [.. Trained.Runs(p => p.Group != ParameterGroup.Matrix && p != head ? true : null)];
    }

    /// <summary>
    /// Tokens (B, T) to final hidden states (B, T, C), in <see cref="Activations.Hidden"/>.
    /// </summary>
    /// <param name="a">Activations, with inputs set.</param>
    /// <param name="cache">Where to keep keys and values in decoding: the tokens then follow those that it
    /// holds.</param>
    /// <param name="state">Step state: with it the pass is a training pass, with dropout where the model has
    /// it.</param>
    public void Forward(Activations a, KvCache? cache = null, StepState? state = null)
    {
        cache?.Send();
        var pass = Pass(a, cache, state);
        Adapter?.Use(a.Lora!, state?.Buffer);
        if (tokenTable.Quantized is { } table)
            Backend.QuantizedEmbedding(a.Tokens, table, a.Positions, positionTable?.Quantized, a.Residual[0]);
        else
            Backend.Embedding(a.Tokens, tokenTable.Working, a.Positions, positionTable?.Working, a.Residual[0]);
        if (pass.Dropout > 0)
            Backend.Dropout(a.Residual[0], a.Residual[0], pass.Dropout, pass.State!.Value, DropoutSite.Embedding);
        for (int layer = 0; layer < blocks.Length; layer++)
            blocks[layer].Forward(a.Residual[layer], a.Blocks[layer], pass, a.Residual[layer + 1]);
        finalNorm.Forward(a.Residual[^1], a.Hidden, a.FinalNorm);
    }

    /// <summary>
    /// Gradients of the loss -sum weights[n] log p(targets[n]) with respect to all trained parameters. The forward pass
    /// and <see cref="LogProbabilities"/> come first, with recomputation once for each backward pass;
    /// <see cref="Activations.TokenWeights"/>, which may depend on them, says what the loss is.
    /// </summary>
    /// <param name="a">Activations of the forward pass.</param>
    /// <param name="state">Step state, as in the forward pass.</param>
    /// <param name="accumulate">Whether the gradients are added to what is there; otherwise they take its place, which
    /// saves clearing it first.</param>
    public void Backward(Activations a, StepState? state = null, bool accumulate = true)
    {
        Backend.LinearCrossEntropyBackward(
            a.Hidden, head.Working, a.Targets, Config.VocabularySize, a.LogitsLogSumExp, a.TokenWeights,
            a.HiddenGradient, head.Gradient, accumulate);
        BackwardFromHidden(a, state, accumulate);
    }

    /// <summary>
    /// <see cref="LogProbabilities"/> and <see cref="Backward"/> at once, for token weights that were set before the
    /// forward pass: the logits are computed once.
    /// </summary>
    public void LogProbabilitiesAndBackward(Activations a, StepState? state = null, bool accumulate = true)
    {
        Backend.LinearCrossEntropyForwardBackward(
            a.Hidden, head.Working, a.Targets, Config.VocabularySize, a.TokenWeights, a.LogProbabilities,
            a.LogitsLogSumExp,
            a.HiddenGradient, head.Gradient, accumulate);
        BackwardFromHidden(a, state, accumulate);
    }

    private void BackwardFromHidden(Activations a, StepState? state, bool accumulate)
    {
        var pass = Pass(a, null, state) with { Accumulate = accumulate };
        var d = a.Gradients
            ?? throw new InvalidOperationException("Backward: the activations were planned for inference.");
        Adapter?.Use(a.Lora!, state?.Buffer);
        if (!accumulate)
            ClearAddedGradients();
        Backend.Fill(a.ResidualGradient, 0);
        finalNorm.BackwardResidual(a.HiddenGradient, a.Residual[^1], a.FinalNorm, a.ResidualGradient);
        for (int layer = blocks.Length - 1; layer >= 0; layer--)
        {
            // The set that all blocks share still holds the last block's activations.
            if (a.Recompute && layer < blocks.Length - 1)
                blocks[layer].Activate(a.Residual[layer], a.Blocks[layer], pass);
            blocks[layer].Backward(a.Residual[layer], a.Blocks[layer], d, pass, a.ResidualGradient);
        }

        if (tokenTable.Gradient is not { } gradient)
            return;
        if (pass.Dropout > 0)
        {
            Backend.Dropout(
                a.ResidualGradient, a.ResidualGradient, pass.Dropout, pass.State!.Value, DropoutSite.Embedding);
        }

        Backend.EmbeddingBackward(a.ResidualGradient, a.Tokens, gradient, a.Positions, positionTable?.Gradient);
    }

    // Matrix and head gradients are overwritten by their product (a tied token table is then added to). All others only
    // accumulate.
    private void ClearAddedGradients()
    {
        foreach (var (first, last) in added)
            Backend.Fill(GradientRange(first, last), 0);
    }

    /// <summary>
    /// Log-probabilities of the targets, (B T) in <see cref="Activations.LogProbabilities"/>; after
    /// <see cref="Forward"/>.
    /// </summary>
    public void LogProbabilities(Activations a)
    {
        if (head.Quantized is { } weight)
        {
            Backend.QuantizedLinearCrossEntropy(
                a.Hidden, weight, a.Targets, Config.VocabularySize, a.LogProbabilities, a.LogitsLogSumExp);
        }
        else
        {
            Backend.LinearCrossEntropy(
                a.Hidden, head.Working, a.Targets, Config.VocabularySize, a.LogProbabilities, a.LogitsLogSumExp);
        }
    }

    /// <summary>
    /// Logits of hidden states (N, C): (N, Vpadded), whose columns from the vocabulary's size on mean nothing.
    /// </summary>
    public void Logits(Tensor hidden, Tensor logits)
    {
        if (head.Quantized is { } weight)
            Backend.QuantizedMatMul(hidden, weight, null, logits);
        else
            Backend.MatMul(hidden, head.Working, null, logits);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        values.Dispose();
        working.Dispose();
        adapterValues?.Dispose();
        adapterWorking?.Dispose();
    }

    private ForwardPass Pass(Activations a, KvCache? cache, StepState? state) => new(
        a.Positions, ropeTable, new AttentionMask(cache?.Offsets, a.Starts), cache, state is null ? 0
        : Config.Dropout, state?.Buffer);
}
