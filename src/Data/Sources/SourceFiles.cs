using TinyLlm.Data.Tokens;

namespace TinyLlm.Data.Sources;

/// <summary>Finds the files that a path, a folder or a glob names.</summary>
internal static class SourceFiles
{
    /// <summary>The files in the ordinal order of their paths.</summary>
    /// <param name="name">A path, a folder or a glob.</param>
    /// <param name="option">The option that names it, for messages.</param>
    /// <exception cref="TinyLlmException">There is no such file, or none of a known kind, one that is named is an
    /// archive, or they mix text and tokens.</exception>
    public static IReadOnlyList<string> Find(string name, string option)
    {
        if (File.Exists(name))
        {
            CheckRead($"{option} {name}", name);
            return Path.GetExtension(name) != TokenShard.Extension ? [name]
                : throw new TinyLlmException($"{option} {name}: a shard of prepared tokens is no text; expected the "
                + "folder that it lies in.");
        }

        if (Directory.Exists(name))
            return InFolder(name, option);
        if (!FileSearch.IsGlob(name))
            throw new TinyLlmException($"{option} {name}: there is no such file or folder; check the path.");

        var found = FileSearch.Matching(name);
        if (found.Count == 0)
        {
            throw new TinyLlmException($"{option} {name}: no file matches; check the pattern (* and ? within a name, "
                + "** for any folders).");
        }

        // A pattern that spells an extension names its files as clearly as a path does.
        var files = FileSearch.IsGlob(Path.GetExtension(name)) || Path.GetExtension(name).Length == 0
            ? found.FindAll(IsKnown) : found;
        if (files.Count == 0)
        {
            throw new TinyLlmException($"{option} {name}: none of the {found.Count:N0} files that match is of a known "
                + $"kind; expected {SourceFormat.KnownKinds}. Name them with their extension, as *.ext.");
        }

        files.ForEach(file => CheckRead($"{option} {name}: {file}", file));
        int tokens = files.FindIndex(IsTokens), text = files.FindIndex(file => !IsTokens(file));
        if (tokens >= 0 && text >= 0)
        {
            throw new TinyLlmException($"{option} {name}: this mixes tokens ({files[tokens]}) and text "
                + $"({files[text]}); expected one of them. Give each a --data of its own.");
        }

        return files;
    }

    private static IReadOnlyList<string> InFolder(string name, string option)
    {
        string prepared = Path.Combine(name, DataSource.PreparedFile);
        if (File.Exists(prepared))
            return [prepared];
        if (File.Exists(Path.Combine(name, PreparedManifest.UnfinishedName)))
        {
            throw new TinyLlmException($"{option} {name}: the preparation of this folder was not finished. Run the "
                + "same `tinyllm tokenize` again: it goes on where it was.");
        }

        var found = FileSearch.Below(name);
        var files = found.FindAll(file => IsKnown(file) && !IsTokens(file));
        if (files.Count > 0)
            return files;
        if (found.Find(file => UnreadFormat.ByName(file) is not null) is { } archive)
            CheckRead($"{option} {name}: the folder holds no text, but {archive}", archive);
        if (found.Find(IsTokens) is { } shard)
        {
            throw new TinyLlmException($"{option} {name}: the folder holds no text, but tokens ({shard}); name them by "
                + $"a pattern, as {Path.Combine(name, "*.bin")}.");
        }

        throw new TinyLlmException(found.Count == 0
            ? $"{option} {name}: there is no file in this folder; expected {SourceFormat.KnownKinds}."
            : $"{option} {name}: none of the {found.Count:N0} files in this folder is of a known kind; expected "
                + $"{SourceFormat.KnownKinds}. Name other text by a pattern, as *.ext.");
    }

    private static void CheckRead(string where, string path)
    {
        if (UnreadFormat.ByName(path) is { } what)
            throw UnreadFormat.Refusal(where, what);
    }

    private static bool IsKnown(string path) => SourceFormat.Of(path).IsKnown;

    private static bool IsTokens(string path) => SourceFormat.Of(path).Content == Content.Tokens;
}
