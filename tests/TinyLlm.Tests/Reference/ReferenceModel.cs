namespace TinyLlm.Tests.Reference;

/// <summary>
/// A GPT in double precision, slow and plain, forward and backward by hand, on parameters under their Hugging Face
/// names and in their shapes. It shares no code with the product's model: that one is held against it.
/// </summary>
/// <param name="config">Sizes.</param>
/// <param name="parameters">Each parameter of <see cref="ReferenceConfig.Parameters"/>; read anew at every
/// call.</param>
internal sealed partial class ReferenceModel(ReferenceConfig config, IReadOnlyDictionary<string, double[]> parameters)
{
    /// <summary>
    /// Factors of dropout, 0 or 1 / (1 - p), for a place in the model and its number of elements; none for no dropout.
    /// Places: 0 after the embedding; of layer l, 1 + 3 l the attention's probabilities, 2 + 3 l its branch, 3 + 3 l
    /// the branch of the MLP.
    /// </summary>
    public Func<int, long, double[]>? DropoutMask { get; init; }

    /// <summary>Logits (B, T, V). Positions count from 0 in each row.</summary>
    public double[] Logits(int[,] tokens) => Logits(new Batch(tokens, null, null));

    /// <summary>
    /// Logits (B, T, V) with positions, and the first key that each query sees, as packed documents have them.
    /// </summary>
    public double[] Logits(int[,] tokens, int[,] positions, int[,] starts) =>
        Logits(new Batch(tokens, positions, starts));

    /// <summary>
    /// The loss -sum weights[b, t] log p(targets[b, t]), where negative targets count nothing, and its gradient for
    /// every parameter.
    /// </summary>
    public (double Loss, Dictionary<string, double[]> Gradients) LossAndGradients(
        int[,] tokens, int[,] targets, double[,] weights) =>
            LossAndGradients(tokens, targets, weights, null, null);

    /// <summary>The loss and its gradients, with positions and the first key that each query sees.</summary>
    public (double Loss, Dictionary<string, double[]> Gradients) LossAndGradients(
        int[,] tokens, int[,] targets, double[,] weights, int[,]? positions, int[,]? starts)
    {
        var batch = new Batch(tokens, positions, starts);
        int[] targetIds = [.. targets.Cast<int>()];
        double[] tokenWeights = [.. weights.Cast<double>()], head = parameters[config.Head];
        var gradients = config.Parameters().ToDictionary(p => p.Name, p => new double[parameters[p.Name].Length]);

        var states = Forward(batch);
        double[] hidden = Norm(config.FinalNorm, states[^1].Y);
        var (logProbabilities, _) =
            ReferenceOps.LinearCrossEntropy(hidden, head, targetIds, config.Width, config.Vocabulary);

        var (dHidden, dHead) = ReferenceOps.LinearCrossEntropyBackward(
            hidden, head, targetIds, config.Width, config.Vocabulary, tokenWeights);
        Accumulate(gradients[config.Head], dHead);
        var dx = NormBackward(config.FinalNorm, dHidden, states[^1].Y, gradients);
        for (int layer = config.Layers - 1; layer >= 0; layer--)
            dx = BlockBackward(layer, dx, states[layer], batch, gradients);
        EmbeddingBackward(dx, batch, gradients);
        return (-ReferenceOps.Dot(tokenWeights, logProbabilities), gradients);
    }

    private double[] Logits(Batch batch) =>
        ReferenceOps.MatMul(
            Norm(config.FinalNorm, Forward(batch)[^1].Y), parameters[config.Head], null, batch.Rows, config.Vocabulary,
            config.Width);

    private List<BlockState> Forward(Batch batch)
    {
        var x = ReferenceOps.Embedding(
            batch.Tokens, parameters[config.TokenTable], batch.Positions, config.IsGpt2
            ? parameters["transformer.wpe.weight"] : null, config.Width);
        x = Dropout(x, 0);
        var states = new List<BlockState>();
        for (int layer = 0; layer < config.Layers; layer++)
        {
            states.Add(BlockForward(layer, x, batch));
            x = states[^1].Y;
        }

        return states;
    }

    private void EmbeddingBackward(double[] dx, Batch batch, Dictionary<string, double[]> gradients)
    {
        dx = Dropout(dx, 0);
        Accumulate(gradients[config.TokenTable],
            ReferenceOps.EmbeddingBackward(dx, batch.Tokens, config.Vocabulary, config.Width));
        if (config.IsGpt2)
        {
            Accumulate(gradients["transformer.wpe.weight"],
                ReferenceOps.EmbeddingBackward(dx, batch.Positions, config.Context, config.Width));
        }
    }

    private double[] Norm(string name, double[] x) => config.IsGpt2
        ? ReferenceOps.LayerNorm(x, parameters[name + ".weight"], parameters[name + ".bias"], config.NormEpsilon).Y
        : ReferenceOps.RmsNorm(x, parameters[name + ".weight"], config.NormEpsilon).Y;

    private double[] NormBackward(string name, double[] dy, double[] x, Dictionary<string, double[]> gradients)
    {
        if (!config.IsGpt2)
        {
            var (dInput, dScale) =
                ReferenceOps.RmsNormBackward(dy, x, parameters[name + ".weight"], config.NormEpsilon);
            Accumulate(gradients[name + ".weight"], dScale);
            return dInput;
        }

        var (dx, dWeight, dBias) =
            ReferenceOps.LayerNormBackward(dy, x, parameters[name + ".weight"], config.NormEpsilon);
        Accumulate(gradients[name + ".weight"], dWeight);
        Accumulate(gradients[name + ".bias"], dBias);
        return dx;
    }

    // Rows of x through the linear layer of that name: gpt2's weight is (in, out) and has a bias, the others' is (out,
    // in).
    private double[] Linear(string name, double[] x, int inputs, int outputs) => config.IsGpt2
        ? ReferenceOps.MatMul(
            x, Transpose(parameters[name + ".weight"], inputs, outputs), parameters[name + ".bias"], x.Length / inputs,
            outputs, inputs)
        : ReferenceOps.MatMul(x, parameters[name + ".weight"], null, x.Length / inputs, outputs, inputs);

    private double[] LinearBackward(
        string name, double[] dy, double[] x, int inputs, int outputs, Dictionary<string, double[]> gradients)
    {
        int rows = x.Length / inputs;
        var (dWeight, dBias) = ReferenceOps.MatMulBackwardWeight(dy, x, rows, outputs, inputs);
        var weight = parameters[name + ".weight"];
        if (config.IsGpt2)
        {
            (weight, dWeight) = (Transpose(weight, inputs, outputs), Transpose(dWeight, outputs, inputs));
            Accumulate(gradients[name + ".bias"], dBias);
        }

        Accumulate(gradients[name + ".weight"], dWeight);
        return ReferenceOps.MatMulBackwardInput(dy, weight, rows, outputs, inputs);
    }

    private double[] Dropout(double[] x, int site) => DropoutMask is null ? x
        : ReferenceOps.Multiply(x, DropoutMask(site, x.Length));

    private static double[] Transpose(double[] matrix, int rows, int columns)
    {
        var result = new double[matrix.Length];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                result[j * rows + i] = matrix[i * columns + j];
        return result;
    }

    private static void Accumulate(double[] sum, double[] values)
    {
        for (int i = 0; i < sum.Length; i++)
            sum[i] += values[i];
    }

    /// <summary>Tokens in rows, where they stand in their documents, and where the documents begin.</summary>
    private sealed class Batch(int[,] tokens, int[,]? positions, int[,]? starts)
    {
        public int B { get; } = tokens.GetLength(0);

        public int T { get; } = tokens.GetLength(1);

        public int Rows => B * T;

        public int[] Tokens { get; } = [.. tokens.Cast<int>()];

        public int[] Positions { get; } = positions is null
            ? [.. Enumerable.Range(0, tokens.Length).Select(i => i % tokens.GetLength(1))] : [.. positions.Cast<int>()];

        public int[]? Starts { get; } = starts is null ? null : [.. starts.Cast<int>()];
    }
}
