using TinyLlm.Kernels;

namespace TinyLlm.Training.Optimizers;

/// <summary>
/// Makes a matrix nearly orthogonal: of X = U S V^T it leaves about U V^T. It divides X by its Frobenius norm and then
/// applies an odd polynomial to the singular values five times, X = a X + b (X X^T) X + c (X X^T)^2 X, which drives
/// them from (0, 1] towards 1: most of them to between 0.7 and 1.2, by coefficients that were chosen for speed, not for
/// a limit of exactly 1 (K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024).
/// </summary>
/// <remarks>
/// The products are those of a linear layer. The Gram matrix is always the smaller one: X X^T of a wide matrix, X^T X
/// of a tall one. In bf16 the sums of its elements are kept in single precision.
/// </remarks>
internal sealed class NewtonSchulz
{
    /// <summary>How often the polynomial is applied.</summary>
    public const int Iterations = 5;

    /// <summary>The polynomial's coefficients.</summary>
    public static readonly QuinticCoefficients Coefficients = new(3.4445f, -4.7750f, 2.0315f);

    private readonly Backend backend;
    private readonly DType type;
    private readonly Tensor input, x, y, norm;       // as many elements as the largest matrix has; (1)
    private readonly Tensor gram, rounded, square, factor; // as many as the largest Gram matrix has

    /// <summary>Plans room for the largest of the matrices in <paramref name="arena"/>.</summary>
    /// <param name="arena">Where the memory goes.</param>
    /// <param name="shapes">Rows and columns of the matrices that will come.</param>
    /// <param name="type">What the products are computed in, F32 or BF16.</param>
    public NewtonSchulz(Arena arena, IReadOnlyList<(int Rows, int Columns)> shapes, DType type)
    {
        (backend, this.type) = (arena.Backend, type);
        int count = shapes.Max(s => checked(s.Rows * s.Columns)),
            square = shapes.Max(s => checked(Math.Min(s.Rows, s.Columns) * Math.Min(s.Rows, s.Columns)));
        input = arena.Add("Newton-Schulz: update", count);
        x = type == DType.F32 ? input : arena.Add("Newton-Schulz: x", count, type);
        y = arena.Add("Newton-Schulz: next x", count, type);
        norm = arena.Add("Newton-Schulz: squared norm", 1);
        gram = arena.Add("Newton-Schulz: Gram matrix", square);
        rounded = type == DType.F32 ? gram : arena.Add("Newton-Schulz: Gram matrix, rounded", square, type);
        this.square = arena.Add("Newton-Schulz: its square", square);
        factor = arena.Add("Newton-Schulz: factor", square, type);
    }

    /// <summary>(rows, columns) F32: where the matrix goes.</summary>
    public Tensor Input(int rows, int columns) => Matrix(input, rows, columns);

    /// <summary>
    /// Makes the matrix in <see cref="Input"/> nearly orthogonal; the result is good until the next call.
    /// </summary>
    /// <returns>(rows, columns) in the type of the products.</returns>
    public Tensor Orthogonalize(int rows, int columns)
    {
        int k = Math.Min(rows, columns);
        bool tall = rows > columns;
        Tensor matrix = Input(rows, columns), current = Matrix(x, rows, columns), next = Matrix(y, rows, columns);
        Tensor g = Matrix(gram, k, k), gRounded = Matrix(rounded, k, k), gg = Matrix(square, k, k),
            f = Matrix(factor, k, k);
        backend.SumSquares(matrix, norm);
        backend.Normalize(matrix, norm, current);
        for (int i = 0; i < Iterations; i++)
        {
            if (tall)
                backend.MatMulBackwardWeight(current, current, g, null, accumulate: false); // X^T X
            else
                backend.MatMul(current, current, null, g); // X X^T
            if (type != DType.F32)
                backend.Cast(g, gRounded);
            backend.MatMul(gRounded, gRounded, null, gg); // G G^T, and G is symmetric
            backend.NewtonSchulzFactor(g, gg, f, Coefficients);
            if (tall)
                backend.MatMulBackwardInput(current, f, next); // X F
            else
                backend.MatMulBackwardInput(f, current, next); // F X
            (current, next) = (next, current);
        }

        return current;
    }

    private static Tensor Matrix(Tensor memory, int rows, int columns) =>
        memory.Slice(0, 0, rows * columns).View((rows, columns));
}
