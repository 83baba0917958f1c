using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>How a parameter is treated by optimisers; the order is that of the memory.</summary>
public enum ParameterGroup
{
    /// <summary>Weights of linear layers: weight decay.</summary>
    Matrix,

    /// <summary>Token and position tables and an untied head: weight decay.</summary>
    Embedding,

    /// <summary>Biases and norm weights: no weight decay.</summary>
    Vector,
}

/// <summary>How a parameter starts.</summary>
/// <param name="Mean">Mean of the normal distribution.</param>
/// <param name="Deviation">Its standard deviation; 0 for a constant.</param>
public readonly record struct Init(float Mean, float Deviation)
{
    /// <summary>All zeros.</summary>
    public static readonly Init Zeros = new(0, 0);

    /// <summary>All ones.</summary>
    public static readonly Init Ones = new(1, 0);

    /// <summary>A normal distribution around zero.</summary>
    public static Init Normal(double deviation) => new(0, (float)deviation);
}

/// <summary>A tensor of the weights file, and the rows of the parameter that it holds.</summary>
/// <param name="Name">Hugging Face's name.</param>
/// <param name="FirstRow">First row of the parameter in memory.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Transposed">Whether the file holds the matrix as (in, out), as GPT-2's Conv1D does.</param>
public sealed record FilePart(string Name, int FirstRow, int Rows, bool Transposed = false);

/// <summary>
/// One trained tensor: in memory (out, in), with q, k, v and gate, up stacked; in files under Hugging Face's names.
/// </summary>
public sealed class Parameter
{
    internal Parameter(
        string name, Shape shape, Init init, ParameterGroup group,
        IReadOnlyList<FilePart> parts, IReadOnlyList<int>? stackedRows) =>
            (Name, Shape, Init, Group, Parts, StackedRows) =
                (name, shape, init, group, parts, stackedRows ?? [.. parts.Select(p => p.Rows)]);

    /// <summary>
    /// Name in messages and in the optimiser's file; that of the file where the two hold the same tensor.
    /// </summary>
    public string Name { get; }

    /// <summary>Shape in memory, padding included.</summary>
    public Shape Shape { get; }

    /// <summary>How it starts.</summary>
    public Init Init { get; }

    /// <summary>How optimisers treat it.</summary>
    public ParameterGroup Group { get; }

    /// <summary>Where the weights file holds it. Rows that no part names are padding.</summary>
    public IReadOnlyList<FilePart> Parts { get; }

    /// <summary>
    /// Of a matrix: the rows of each linear map that is stacked in it, in order. Mostly those of <see cref="Parts"/>,
    /// but GPT-2's files hold q, k and v as one.
    /// </summary>
    public IReadOnlyList<int> StackedRows { get; }

    /// <summary>The weights, <see cref="Shape"/> F32; there are none where they are <see cref="Quantized"/>.</summary>
    public Tensor Value
    {
        get => Quantized is null ? field
            : throw new InvalidOperationException($"{Name} has 8-bit weights: it can be neither trained nor saved.");
        internal set;
    }

    /// <summary>
    /// The weights as 8-bit integers, where the model's <see cref="GptConfig.WeightType"/> is I8 and this is a matrix
    /// or a table.
    /// </summary>
    public QuantizedMatrix? Quantized { get; internal set; }

    /// <summary>
    /// What the passes compute with: <see cref="Value"/> itself, or a copy of it rounded to the model's
    /// <see cref="GptConfig.ComputeType"/>. Matrices and tables have copies; biases and norm weights, which are few and
    /// are added to or multiplied with whole rows, have none.
    /// </summary>
    public Tensor Working { get; internal set; }

    /// <summary>Whether <see cref="Working"/> is a copy.</summary>
    public bool HasWorkingCopy => Quantized is null && Working.Storage != Value.Storage;

    /// <summary>The gradient, <see cref="Shape"/> F32; only while it is trained.</summary>
    public Tensor? Gradient { get; internal set; }

    /// <summary>Number of rows that are not padding.</summary>
    public int RealRows => Parts.Sum(p => p.Rows);

    /// <summary>Number of elements that are not padding.</summary>
    public long RealCount => Shape.Count / Shape[0] * RealRows;
}

/// <summary>
/// Each parameter of a model once: what drives memory, initialisation, gradients, optimisers and files.
/// </summary>
public sealed class ParameterTable
{
    private readonly List<Parameter> parameters = [];

    /// <summary>All parameters, in the order of the memory: matrices, embeddings, vectors.</summary>
    public IReadOnlyList<Parameter> All => parameters;

    /// <summary>Number of trained elements, padding left out.</summary>
    public long Count => parameters.Sum(p => p.RealCount);

    /// <summary>Adds a parameter that the file holds as it stands.</summary>
    public Parameter Add(string name, Shape shape, Init init, ParameterGroup group) =>
        Add(name, shape, init, group, [new FilePart(name, 0, shape[0])]);

    /// <summary>Adds a parameter whose file parts differ from it: stacked, padded or transposed.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its shape in memory.</param>
    /// <param name="init">How it starts.</param>
    /// <param name="group">How optimisers treat it.</param>
    /// <param name="parts">Where the weights file holds it.</param>
    /// <param name="stackedRows">Rows of each linear map in a matrix, where they are not those of the parts.</param>
    public Parameter Add(
        string name, Shape shape, Init init, ParameterGroup group,
        IReadOnlyList<FilePart> parts, IReadOnlyList<int>? stackedRows = null)
    {
        var parameter = new Parameter(name, shape, init, group, parts, stackedRows);
        parameters.Insert(parameters.FindLastIndex(p => p.Group <= group) + 1, parameter);
        return parameter;
    }

    /// <summary>
    /// First and last of each longest row of neighbours of the same kind: what one op can treat as one row of memory.
    /// Those whose kind is null are left out.
    /// </summary>
    public IEnumerable<(Parameter First, Parameter Last)> Runs(Func<Parameter, bool?> kind)
    {
        for (int first = 0, next; first < parameters.Count; first = next)
        {
            bool? own = kind(parameters[first]);
            for (next = first + 1; next < parameters.Count && kind(parameters[next]) == own;)
                next++;
            if (own is not null)
                yield return (parameters[first], parameters[next - 1]);
        }
    }

    /// <summary>Plans the weights; matrices and tables in <paramref name="type"/>, F32 or I8.</summary>
    public void PlanValues(Arena arena, DType type = DType.F32)
    {
        foreach (var parameter in All)
        {
            if (type == DType.I8 && parameter.Group != ParameterGroup.Vector)
                parameter.Quantized = QuantizedMatrix.Plan(arena, parameter.Name, parameter.Shape);
            else
                parameter.Value = parameter.Working = arena.Add(parameter.Name, parameter.Shape);
        }
    }

    /// <summary>
    /// Plans working copies of type <paramref name="dtype"/> in <paramref name="arena"/>; none for F32, the weights'
    /// own type.
    /// </summary>
    public void PlanWorking(Arena arena, DType dtype)
    {
        if (dtype == DType.F32)
            return;
        foreach (var parameter in All.TakeWhile(p => p.Group != ParameterGroup.Vector))
            parameter.Working = arena.Add(parameter.Name, parameter.Shape, dtype);
    }

    /// <summary>Plans the gradients.</summary>
    public void PlanGradients(Arena arena)
    {
        foreach (var parameter in All)
            parameter.Gradient = arena.Add(parameter.Name, parameter.Shape);
    }

    /// <summary>
    /// Draws the initial weights. Element i of the parameter called n comes from counter (i, hash of n) of a Philox
    /// generator keyed by the seed, so it depends on neither the device nor the other parameters. Padding is zero.
    /// </summary>
    public void Initialize(Backend backend, ulong seed)
    {
        foreach (var parameter in All)
        {
            var values = new float[parameter.Shape.Count];
            Fill(values.AsSpan(0, (int)parameter.RealCount), parameter, seed);
            backend.Write(parameter.Value, values);
        }
    }

    private static void Fill(Span<float> values, Parameter parameter, ulong seed)
    {
        var (mean, deviation) = parameter.Init;
        if (deviation == 0)
        {
            values.Fill(mean);
            return;
        }

        uint name = HashOf(parameter.Name);
        for (int i = 0; i < values.Length; i += 4)
        {
            // X3 keeps apart from dropout, whose counters end in the step.
            uint x0 = (uint)(i / 4), x1 = 0, x2 = name, x3 = 0x1217;
            Philox.Next(ref x0, ref x1, ref x2, ref x3, (uint)seed, (uint)(seed >> 32) ^ 0x80000000);
            var (a, b) = Normals(x0, x1);
            var (c, d) = Normals(x2, x3);
            ReadOnlySpan<float> four = [a, b, c, d];
            for (int j = 0; j < 4 && i + j < values.Length; j++)
                values[i + j] = mean + deviation * four[j];
        }
    }

    // Two normal numbers from two uniform ones (G. Box and M. Muller, 1958).
    private static (float, float) Normals(uint u, uint v)
    {
        double radius = Math.Sqrt(-2 * Math.Log((u + 0.5) / 4294967296.0)), angle = 2 * Math.PI * (v / 4294967296.0);
        return ((float)(radius * Math.Cos(angle)), (float)(radius * Math.Sin(angle)));
    }

    // FNV-1a: string.GetHashCode differs from run to run.
    private static uint HashOf(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
            hash = (hash ^ c) * 16777619;
        return hash;
    }
}
