using System.Text.Json;

namespace TinyLlm.Model;

/// <summary>
/// Reads a safetensors header token by token, so that a damaged one costs no memory, and checks every number in it.
/// </summary>
internal ref struct SafetensorsHeaderParser
{
    private readonly string path;
    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);
    private readonly List<SafetensorsTensor> tensors = [];
    private Utf8JsonReader json;
    private bool hasMetadata;

    public SafetensorsHeaderParser(string path, ReadOnlySpan<byte> header)
    {
        this.path = path;
        json = new Utf8JsonReader(header, JsonText.ReaderOptions);
    }

    public static TinyLlmException Damaged(string path, string fault, Exception? cause = null)
    {
        string message = $"{path}: {fault}; the file is damaged or no safetensors file: fetch or write it again.";
        return cause is null ? new TinyLlmException(message) : new TinyLlmException(message, cause);
    }

    public SafetensorsHeader Parse(long dataBytes)
    {
        json.Read();
        Expect(JsonTokenType.StartObject, "the header");
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (NextName("the header") is { } name)
        {
            if (name == Safetensors.MetadataName)
                ParseMetadata();
            else if (!names.Add(name))
                throw Damaged($"the tensor {Quote(name)} stands in the header twice");
            else
                tensors.Add(ParseTensor(name));
        }

        json.Read(); // throws on anything but white space after the object
        CheckCover(dataBytes);
        return new SafetensorsHeader(tensors, metadata);
    }

    private void ParseMetadata()
    {
        if (hasMetadata)
            throw Damaged($"{Safetensors.MetadataName} stands in the header twice");
        hasMetadata = true;
        json.Read();
        Expect(JsonTokenType.StartObject, Safetensors.MetadataName);
        while (NextName(Safetensors.MetadataName) is { } key)
        {
            json.Read();
            Expect(JsonTokenType.String, $"{Safetensors.MetadataName} {Quote(key)}");
            if (!metadata.TryAdd(key, json.GetString()!))
                throw Damaged($"{Safetensors.MetadataName} has the key {Quote(key)} twice");
        }
    }

    private SafetensorsTensor ParseTensor(string name)
    {
        string what = $"tensor {Quote(name)}";
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        json.Read();
        Expect(JsonTokenType.StartObject, what);
        while (NextName(what) is { } field)
        {
            json.Read();
            switch (field)
            {
                case "dtype" when dtype is null:
                    Expect(JsonTokenType.String, $"dtype of {what}");
                    dtype = json.GetString()!;
                    break;
                case "shape" when shape is null:
                    shape = ParseNumbers($"shape of {what}");
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ParseNumbers($"data_offsets of {what}");
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Damaged($"{what} has {field} twice");
                default:
                    json.Skip();
                    break;
            }
        }

        if (dtype is null || shape is null || offsets is null)
            throw Damaged($"{what} has no {(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        return Checked(what, name, dtype, shape, offsets);
    }

    // One tensor by itself: a known dtype, two offsets in order, and as many bytes as the shape says.
    private readonly SafetensorsTensor Checked(
        string what, string name, string dtype, List<long> shape, List<long> offsets)
    {
        int elementBytes = Safetensors.ElementBytes(dtype);
        if (elementBytes == 0)
        {
            throw new TinyLlmException(
                $"{path}: {what} has the dtype {Quote(dtype)}; expected F32, BF16, F16 or another that the format "
                + "names. Convert the file to F32.");
        }

        if (offsets.Count != 2 || offsets[0] > offsets[1])
        {
            throw Damaged($"data_offsets of {what} are [{string.Join(", ", offsets.Take(4))}]; expected [begin, end] "
                + "with begin <= end");
        }

        // An empty tensor may have any other sizes, as long as their product is a number.
        long bytes = elementBytes;
        foreach (long size in shape)
        {
            if (size > 0 && bytes > long.MaxValue / size)
                throw Damaged($"the shape of {what} is too large for any file");
            bytes *= size;
        }

        if (offsets[1] - offsets[0] != bytes)
        {
            throw Damaged($"{what} has {offsets[1] - offsets[0]} bytes; expected {bytes} for {dtype} "
                + $"({string.Join(", ", shape.Take(8))}{(shape.Count > 8 ? ", ..." : "")})");
        }

        return new SafetensorsTensor(name, dtype, shape, offsets[0], offsets[1]);
    }

    // All tensors together: they cover the data from the first byte to the last, each byte once.
    private readonly void CheckCover(long dataBytes)
    {
        tensors.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin)
            : a.End != b.End ? a.End.CompareTo(b.End) : string.CompareOrdinal(a.Name, b.Name));
        long end = 0;
        foreach (SafetensorsTensor tensor in tensors)
        {
            if (tensor.Begin != end)
            {
                throw Damaged($"tensor {Quote(tensor.Name)} begins at byte {tensor.Begin} of the data; expected {end}, "
                    + $"so that there is no {(tensor.Begin < end ? "overlap" : "hole")}");
            }

            end = tensor.End;
        }

        if (end != dataBytes)
            throw Damaged($"the file has {dataBytes} bytes of data; expected {end} by its header");
    }

    private List<long> ParseNumbers(string what)
    {
        Expect(JsonTokenType.StartArray, what);
        var numbers = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            Expect(JsonTokenType.Number, what);
            if (!json.TryGetInt64(out long number) || number < 0)
                throw Damaged($"a number in the {what} is not a whole number from 0 to 2^63 - 1");
            numbers.Add(number);
        }

        return numbers;
    }

    // The next property's name, or null at the end of the object.
    private string? NextName(string what)
    {
        json.Read();
        if (json.TokenType == JsonTokenType.EndObject)
            return null;
        Expect(JsonTokenType.PropertyName, what);
        return json.GetString()!;
    }

    private readonly void Expect(JsonTokenType expected, string what)
    {
        if (json.TokenType != expected)
            throw Damaged($"the JSON of {what} is {json.TokenType}; expected {expected}");
    }

    private readonly TinyLlmException Damaged(string fault) => Damaged(path, fault);

    // A damaged name may be anything: one line, and not a long one.
    private static string Quote(string name)
    {
        const int Most = 200;
        string shown = string.Create(Math.Min(name.Length, Most), name, (characters, name) =>
        {
            for (int i = 0; i < characters.Length; i++)
                characters[i] = char.IsControl(name[i]) || name[i] is '\u2028' or '\u2029' ? '?' : name[i];
        });
        return $"\"{shown}{(name.Length > Most ? "..." : "")}\"";
    }
}
