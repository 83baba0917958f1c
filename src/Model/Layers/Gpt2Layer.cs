using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// How GPT-2's files name and lay out a layer: a bias beside each weight, and linear weights as Conv1D, (in, out).
/// </summary>
internal static class Gpt2Layer
{
    public static Linear Linear(
        Backend backend, ParameterTable table, string name, int inputs, int outputs, Init init, LoraAdapter? adapter,
        IReadOnlyList<int>? stackedRows = null)
    {
        var weight = table.Add(
            name + ".weight", (outputs, inputs), init, ParameterGroup.Matrix,
            [new FilePart(name + ".weight", 0, outputs, Transposed: true)], stackedRows);
        return new Linear(
            backend, weight, table.Add(name + ".bias", outputs, Init.Zeros, ParameterGroup.Vector), adapter);
    }

    public static Norm Norm(Backend backend, ParameterTable table, string name, GptConfig config) => new(backend,
        table.Add(name + ".weight", config.Width, Init.Ones, ParameterGroup.Vector),
        table.Add(name + ".bias", config.Width, Init.Zeros, ParameterGroup.Vector),
        config.NormEpsilon);
}
