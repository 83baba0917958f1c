
namespace TinyLlm.Model;

/// <summary>
/// How <see cref="Sampler"/> picks a token. The values as they stand change nothing: a draw from the model's own
/// distribution.
/// </summary>
public sealed record SamplerSettings
{
    /// <summary>Divides the logits: below 1 sharper, above 1 flatter, 0 greedy (always the largest logit).</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the k most probable tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>
    /// Keeps the fewest most probable tokens that together have at least this probability (nucleus sampling, Holtzman
    /// et al. 2020); 1 keeps all.
    /// </summary>
    public float TopP { get; init; } = 1;

    /// <summary>
    /// Keeps tokens at least this probable relative to the most probable one (Nguyen et al. 2024); 0 keeps all.
    /// </summary>
    public float MinP { get; init; }

    /// <summary>
    /// Divides positive and multiplies negative logits of tokens seen before (Keskar et al. 2019); 1 changes nothing.
    /// </summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Checks the values.</summary>
    /// <exception cref="TinyLlmException">One is out of range; the line names its option.</exception>
    public SamplerSettings Validate()
    {
        // Written so that NaN fails every check.
        if (!(Temperature >= 0 && float.IsFinite(Temperature)))
            throw new TinyLlmException($"--temperature is {Temperature}; expected 0 (greedy) or above, such as 0.8.");
        if (TopK < 0)
            throw new TinyLlmException($"--top-k is {TopK}; expected 0 (off) or the number of tokens to keep.");
        if (!(TopP > 0 && TopP <= 1))
            throw new TinyLlmException($"--top-p is {TopP}; expected above 0 and at most 1 (off).");
        if (!(MinP >= 0 && MinP <= 1))
            throw new TinyLlmException($"--min-p is {MinP}; expected 0 (off) to 1.");
        if (!(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty)))
        {
            throw new TinyLlmException(
                $"--repetition-penalty is {RepetitionPenalty}; expected above 0; 1 is off, 1.1 a mild penalty.");
        }

        return this;
    }
}
