namespace TinyLlm.Data;

/// <summary>Examples that are made anew for each step: what a model writes itself.</summary>
public interface IStepExamples : IExamples
{
    /// <summary>
    /// Makes the examples of step number <paramref name="step"/>, counted from 0, with the model as it is now; does
    /// nothing where they are there.
    /// </summary>
    void Prepare(int step);
}
