namespace TinyLlm.Data;

/// <summary>An order of training without end, in which the place is one number.</summary>
public interface IExampleOrder
{
    /// <summary>
    /// The epoch and the example at <paramref name="position"/>, counted from the beginning of training over all
    /// epochs.
    /// </summary>
    (long Epoch, long Index) At(long position);
}
