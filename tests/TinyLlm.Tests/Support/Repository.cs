namespace TinyLlm.Tests.Support;

/// <summary>The source tree that the tests were built from.</summary>
public static class Repository
{
    /// <summary>Its folder; null where the tests run away from it.</summary>
    public static string? Root { get; } = Find();

    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "TinyLlm.sln")))
                return folder.FullName;

        return null;
    }
}
