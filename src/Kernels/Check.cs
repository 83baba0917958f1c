using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels;

/// <summary>
/// Shape checks of the ops. They throw <see cref="ArgumentException"/>: a wrong shape is a mistake in code, not in
/// input.
/// </summary>
internal static class Check
{
    /// <summary>Checks a tensor's shape and dtype, and that it has no gaps unless <paramref name="strided"/>.</summary>
    public static void Shape(string op, Tensor tensor, Shape expected, DType dtype = DType.F32, bool strided = false,
        [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.Shape != expected)
            throw new ArgumentException($"{op}: {name} is {tensor.Shape}; expected {expected}.");
        if (tensor.DType != dtype)
            throw new ArgumentException($"{op}: {name} is {tensor.DType}; expected {dtype}.");
        if (!strided && !tensor.IsContiguous)
            throw new ArgumentException($"{op}: {name} {tensor.Shape} is strided; expected a contiguous tensor.");
    }

    /// <summary>
    /// Checks that a tensor of activations is F32 or BF16, and that it has no gaps unless <paramref name="strided"/>.
    /// Returns its dtype, which the op's other activations and its matrices must have too; biases, norm weights,
    /// statistics and the gradients of parameters are always F32.
    /// </summary>
    public static DType Floating(
        string op, Tensor tensor, bool strided = false, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.DType is not (DType.F32 or DType.BF16))
            throw new ArgumentException($"{op}: {name} is {tensor.DType}; expected F32 or BF16.");
        if (!strided && !tensor.IsContiguous)
            throw new ArgumentException($"{op}: {name} {tensor.Shape} is strided; expected a contiguous tensor.");
        return tensor.DType;
    }

    /// <summary>Checks an optional tensor, where there is one.</summary>
    public static void Shape(string op, Tensor? tensor, Shape expected, DType dtype = DType.F32,
        [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor is { } present)
            Shape(op, present, expected, dtype, strided: false, name);
    }

    /// <summary>Throws with the op's name before the message unless <paramref name="condition"/> holds.</summary>
    public static void That(
        bool condition, string op, [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage message)
    {
        if (!condition)
            throw new ArgumentException($"{op}: {message.Text}");
    }

    /// <summary>
    /// An interpolated string that is only put together where the condition fails: checks cost the training loop no
    /// memory.
    /// </summary>
    [InterpolatedStringHandler]
    internal ref struct FailureMessage
    {
        private DefaultInterpolatedStringHandler text;

        public FailureMessage(int literalLength, int formattedCount, bool condition, out bool isNeeded)
        {
            isNeeded = !condition;
            text = condition ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public string Text => text.ToStringAndClear();

        public void AppendLiteral(string value) => text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => text.AppendFormatted(value);
    }
}
