namespace TinyLlm.Training;

/// <summary>Position ids of batches whose rows each begin at 0.</summary>
internal static class Positions
{
    /// <summary>(B, T): 0 to T - 1 in each row.</summary>
    public static int[] Of(int b, int t)
    {
        var positions = new int[b * t];
        for (int i = 0; i < positions.Length; i++)
            positions[i] = i % t;
        return positions;
    }
}
