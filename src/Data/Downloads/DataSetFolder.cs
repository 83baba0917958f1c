namespace TinyLlm.Data.Downloads;

/// <summary>How much of a data set a folder holds.</summary>
public enum DataSetState
{
    /// <summary>None of its files.</summary>
    Absent,

    /// <summary>Some of its files, or a part of one.</summary>
    Partial,

    /// <summary>All of its files.</summary>
    Present,
}

/// <summary>The folder of a data set.</summary>
/// <param name="Set">What belongs there.</param>
/// <param name="Path">Where it is; need not exist.</param>
public sealed record DataSetFolder(DataSet Set, string Path)
{
    /// <summary>What is there, by names and sizes; no file is read.</summary>
    public DataSetState State
    {
        get
        {
            var files = Set.Files.ToList();
            int there = files.Count(
                file => File.Exists(PathOf(file))
                && (file.Bytes is null || new FileInfo(PathOf(file)).Length == file.Bytes));
            bool begun = Set.Downloads.Any(download => File.Exists(PathOf(download.File) + PartialFile.Suffix));
            return there == files.Count ? DataSetState.Present : there > 0 || begun ? DataSetState.Partial
                : DataSetState.Absent;
        }
    }

    /// <summary>The path of one of the set's files.</summary>
    public string PathOf(DataFile file) => System.IO.Path.Combine(Path, file.Name);
}
