namespace TinyLlm.Bench.Training;

/// <summary>
/// AdamW's constants, for every side the same. Gradients are not clipped; matrices and tables decay, biases and norms
/// do not.
/// </summary>
internal static class Recipe
{
    public const float LearningRate = 1e-3f, Beta1 = 0.9f, Beta2 = 0.99f, Epsilon = 1e-8f, WeightDecay = 0.1f;
}
