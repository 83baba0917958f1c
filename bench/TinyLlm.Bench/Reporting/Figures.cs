using System.Globalization;

namespace TinyLlm.Bench.Reporting;

/// <summary>How figures are written, beside what they should be.</summary>
internal static class Figures
{
    /// <summary>
    /// A ratio and the least that it should be, such as "1.43 (target 1.5)"; no target where there is none.
    /// </summary>
    public static string AtLeast(double ratio, double? target) =>
        ratio.ToString("F2") + (target is { } t ? $" (target {t.ToString(CultureInfo.InvariantCulture)})" : "");

    /// <summary>A ratio and the most that it should be.</summary>
    public static string AtMost(double ratio, double target) =>
        $"{ratio:F2} (target {target.ToString(CultureInfo.InvariantCulture)} or less)";

    /// <summary>Bytes in MiB.</summary>
    public static double MiB(long bytes) => bytes / 1048576.0;
}
