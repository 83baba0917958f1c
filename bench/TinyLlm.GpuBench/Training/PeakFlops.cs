namespace TinyLlm.GpuBench.Training;

/// <summary>
/// What a card's tensor cores can do at most in dense bf16 with single-precision sums, by its vendor's datasheet.
/// </summary>
internal static class PeakFlops
{
    // Names' words in capitals and digits as the driver gives them; the first entry whose words are all in the name
    // counts.
    private static readonly (string Words, double Tflops)[] cards =
    [
        ("H100 PCIe", 756), ("H100 NVL", 835), ("H100", 989), ("H200 NVL", 835), ("H200", 989), ("GH200", 989),
        ("A100", 312), ("A800", 312), ("A30", 165), ("A10", 125), ("L4", 121), ("L40S", 362), ("4090", 165),
        ("3090", 71),
    ];

    /// <summary>TFLOP/s of the card whose description this is; null where it is not known.</summary>
    public static double? Of(string description)
    {
        string[] words = description.Split(' ', '-', ',');
        return Array.Find(cards, card => card.Words.Split(' ').All(words.Contains)) is { Words: not null } known
            ? known.Tflops : null;
    }
}
