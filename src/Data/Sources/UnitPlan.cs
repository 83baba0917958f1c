namespace TinyLlm.Data.Sources;

/// <summary>Cuts a source's files into units of about equal size.</summary>
internal static class UnitPlan
{
    /// <summary>
    /// Small files come together in one unit, large ones are cut into several where their format allows.
    /// </summary>
    /// <param name="files">The files in their order.</param>
    /// <param name="bytes">About how many bytes of input a unit has.</param>
    /// <param name="options">How the files are read.</param>
    public static List<SourceUnit> Cut(IEnumerable<SourceFile> files, long bytes, SourceOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        var units = new List<SourceUnit>();
        var open = new List<FilePart>();
        long size = 0;
        foreach (var part in files.SelectMany(file => FileReader.For(file, options).Cut(bytes)))
        {
            if (open.Count > 0 && size + part.Bytes > bytes)
                Close();
            open.Add(part);
            size += part.Bytes;
        }

        if (open.Count > 0)
            Close();
        return units;

        void Close()
        {
            FilePart[] parts = [.. open];
            string name = parts.Length == 1 ? parts[0].ToString()
                : $"{parts[0].Reader.File.Path} and {parts.Length - 1:N0} more";
            units.Add(new SourceUnit(name, size, report => parts.SelectMany(part => part.Reader.Read(part, report))));
            open.Clear();
            size = 0;
        }
    }
}
