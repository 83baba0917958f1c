namespace TinyLlm.Bench.Processes;

/// <summary>
/// Settings of glibc's allocator for libtorch, which allocates every result anew. By default glibc maps and unmaps the
/// large ones, and each page faults again at its first touch.
/// </summary>
/// <param name="Name">For people.</param>
/// <param name="Variables">glibc reads them when a program starts.</param>
internal sealed record Allocator(string Name, params (string Name, string Value)[] Variables)
{
    /// <summary>As glibc comes.</summary>
    public static readonly Allocator AsItIs = new("malloc as it is");

    /// <summary>
    /// Never map, never give back, grow in large steps. One arena for all threads: of several, what the backward pass's
    /// thread frees in one is not there for the next forward pass in another, and memory grows from step to step.
    /// </summary>
    public static readonly Allocator Tuned = new("tuned malloc",
        ("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "17179869184"), ("MALLOC_TOP_PAD_", "67108864"),
        ("MALLOC_ARENA_MAX", "1"));

    /// <summary>The same on huge pages, as the memory of TinyLlm lies.</summary>
    public static readonly Allocator TunedHugePages =
        new("tuned malloc on huge pages", [.. Tuned.Variables, ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")]);
}
