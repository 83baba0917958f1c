using System.Text.Json;

namespace TinyLlm.Model;

/// <summary>
/// The tensors of one safetensors file, or of several that belong together: Hugging Face cuts large models into files
/// and writes beside them which tensor is in which, <c>model.safetensors.index.json</c>.
/// </summary>
internal sealed class SafetensorsSet : IDisposable
{
    private const string IndexEnding = ".index.json";

    private readonly List<SafetensorsReader> files = [];
    private readonly Dictionary<string, SafetensorsReader> fileOf = new(StringComparer.Ordinal);

    private SafetensorsSet(string path) => Path = path;

    /// <summary>The file's path, or that which they would have as one.</summary>
    public string Path { get; }

    /// <summary>All tensors.</summary>
    public IEnumerable<SafetensorsTensor> Tensors => files.SelectMany(file => file.Tensors);

    /// <summary>The tensor of this name, which there is.</summary>
    public SafetensorsTensor this[string name] => fileOf[name][name];

    /// <summary>Whether there is such a file, or the index of its parts.</summary>
    public static bool Exists(string path) => File.Exists(path) || File.Exists(path + IndexEnding);

    /// <summary>Bytes of the file, or of its parts.</summary>
    /// <exception cref="TinyLlmException">The index is damaged, or one of its files is missing.</exception>
    public static long Bytes(string path) => Parts(path).Sum(part => File.Exists(part)
        ? new FileInfo(part).Length
        : throw new TinyLlmException($"{part}: there is no such file, although "
            + $"{System.IO.Path.GetFileName(path)}{IndexEnding} names it. Fetch it too."));

    /// <summary>Opens the file, or its parts where there is an index instead.</summary>
    /// <exception cref="TinyLlmException">One of them cannot be read or is damaged, or two have a tensor of the same
    /// name.</exception>
    public static SafetensorsSet Open(string path)
    {
        var set = new SafetensorsSet(path);
        try
        {
            foreach (string part in Parts(path))
            {
                var file = SafetensorsReader.Open(part);
                set.files.Add(file);
                foreach (var tensor in file.Tensors)
                {
                    if (!set.fileOf.TryAdd(tensor.Name, file))
                    {
                        throw new TinyLlmException($"{part}: the tensor {tensor.Name} is in "
                            + $"{set.fileOf[tensor.Name].Path} too; expected each in one file. Use files that were "
                            + "written together.");
                    }
                }
            }

            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of this name, or null.</summary>
    public SafetensorsTensor? Find(string name) => fileOf.GetValueOrDefault(name)?.Find(name);

    /// <summary>Reads a tensor; see <see cref="SafetensorsReader.Read(string, Span{float})"/>.</summary>
    public void Read(string name, Span<float> destination) => fileOf[name].Read(name, destination);

    /// <summary>
    /// Reads a part of a tensor; see <see cref="SafetensorsReader.Read(string, long, Span{float})"/>.
    /// </summary>
    public void Read(string name, long start, Span<float> destination) => fileOf[name].Read(name, start, destination);

    public void Dispose() => files.ForEach(file => file.Dispose());

    private static IReadOnlyList<string> Parts(string path)
    {
        string index = path + IndexEnding;
        if (File.Exists(path) || !File.Exists(index))
            return [path];
        try
        {
            using var document = JsonText.Parse(File.ReadAllBytes(index));
            string[] names = [.. document.RootElement.GetProperty("weight_map").EnumerateObject()
                .Select(entry => entry.Value.GetString()!).Distinct().Order(StringComparer.Ordinal)];

            // A name comes from a stranger: it stays in the folder.
            if (names.FirstOrDefault(name => name != System.IO.Path.GetFileName(name)) is { } other)
                throw new TinyLlmException($"{index}: \"{other}\" is not the name of a file beside it.");
            string folder = System.IO.Path.GetDirectoryName(path) ?? "";
            return names.Length > 0 ? [.. names.Select(name => System.IO.Path.Combine(folder, name))]
                : throw new TinyLlmException($"{index}: its weight_map is empty; expected the file of each tensor.");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new TinyLlmException(
                $"{index}: expected {{\"weight_map\": {{TENSOR: FILE, ...}}}}; it is damaged. Fetch it again.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Reading(index, e);
        }
    }
}
