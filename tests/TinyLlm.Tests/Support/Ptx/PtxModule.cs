namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// A PTX text, ready to run: functions as arrays of decoded instructions, and the layout of its variables.
/// </summary>
internal sealed class PtxModule
{
    /// <summary>
    /// Where a block's shared memory starts: not at 0, so that a null address is caught, and with room as on cards of
    /// capability 9.0.
    /// </summary>
    public const int FirstShared = 1024;

    private readonly Dictionary<string, PtxFunction> functions = [];
    private readonly List<(long Offset, byte[] Content)> initial = [];
    private long globalBytes;

    private PtxModule()
    {
    }

    public IEnumerable<PtxFunction> Functions => functions.Values;

    /// <summary>
    /// The end of the variables in shared memory; the dynamic part starts there, rounded up to 16 bytes.
    /// </summary>
    public int SharedEnd { get; private set; } = FirstShared;

    public int DynamicShared => PtxParser.AlignUp(SharedEnd, 16);

    /// <summary>What the module's .global and .const variables start with.</summary>
    public byte[] Globals
    {
        get
        {
            var content = new byte[globalBytes];
            foreach (var (offset, bytes) in initial)
                bytes.CopyTo(content, offset);
            return content;
        }
    }

    public static PtxModule Parse(string text)
    {
        var module = new PtxModule();
        PtxParser.Parse(text, module);
        foreach (PtxFunction function in module.Functions)
            PtxDecoder.Decode(module, function);
        return module;
    }

    /// <summary>An entry by its name, or, with null, the only one.</summary>
    public PtxFunction Entry(string? name)
    {
        var entries = functions.Values.Where(f => f.IsEntry && (name is null || f.Name == name)).ToArray();
        return entries.Length == 1 ? entries[0]
            : throw new PtxException($"PTX: {entries.Length} entries are named {name ?? "anything"}; expected one.");
    }

    public PtxFunction? Find(string name) => functions.GetValueOrDefault(name);

    public PtxFunction Declare(string name, bool isEntry)
    {
        if (!functions.TryGetValue(name, out PtxFunction? function))
            functions.Add(name, function = new PtxFunction(name, isEntry));
        return function;
    }

    /// <summary>Gives a variable its place in its space.</summary>
    public long Place(PtxFunction? function, PtxSpace space, int align, int bytes, bool isDynamic, byte[]? content)
    {
        switch (space)
        {
            case PtxSpace.Shared when isDynamic:
                return 0;
            case PtxSpace.Shared:
                int shared = PtxParser.AlignUp(SharedEnd, align);
                SharedEnd = shared + bytes;
                return shared;
            case PtxSpace.Local:
                int local = PtxParser.AlignUp(function!.LocalBytes, align);
                function.LocalBytes = local + bytes;
                return local;
            case PtxSpace.FrameParameter:
                int parameter = PtxParser.AlignUp(function!.FrameParameterBytes, align);
                function.FrameParameterBytes = parameter + bytes;
                return parameter;
            default:
                long offset = (globalBytes + align - 1) / align * align;
                globalBytes = offset + bytes;
                if (content is not null)
                    initial.Add((offset, content));
                return offset;
        }
    }
}
