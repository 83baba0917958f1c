using System.Buffers.Binary;
using System.Text;

namespace TinyLlm.Bench;

/// <summary>
/// TorchSharp 0.107.0's native part is built with GCC 13 and so asks for one function of its libstdc++ that Debian 12's
/// lacks: <c>std::ios_base_library_init()</c>, version GLIBCXX_3.4.32, which only makes sure that <c>std::cout</c> and
/// its like exist (libtorch itself creates them). The mend binds that import to a function without arguments or
/// effects, <c>getpid</c>, and drops the demand for the version. Nothing else of the file changes.
/// </summary>
/// <remarks>
/// ELF-64 as in the System V ABI; symbol versions as in the Linux Standard Base, "Symbol Versioning".
/// </remarks>
internal static class TorchSharpMend
{
    /// <summary>The function's linker name.</summary>
    public const string NewSymbol = "_ZSt21ios_base_library_initv";

    private const string NewVersion = "GLIBCXX_3.4.32", OldVersion = "GLIBCXX_3.4.30", Replacement = "getpid";
    private const uint DynamicSymbols = 11, VersionNeeds = 0x6ffffffe, SymbolVersions = 0x6fffffff;
    private const ushort AnyVersion = 1;

    private readonly record struct Section(uint Type, int Offset, int Size, int Link);

    /// <summary>Mends the file in memory; false where there is nothing to mend.</summary>
    /// <exception cref="InvalidDataException">The file is not laid out as expected.</exception>
    public static bool Apply(byte[] file)
    {
        var sections = ReadSections(file);
        var symbols = Find(sections, DynamicSymbols);
        var versions = Find(sections, SymbolVersions);
        var needs = Find(sections, VersionNeeds);
        int names = sections[symbols.Link].Offset;

        for (int i = 0, at = symbols.Offset; at < symbols.Offset + symbols.Size; i++, at += 24)
        {
            int name = names + (int)UInt32(file, at);
            if (ReadName(file, name) != NewSymbol)
                continue;

            RepointVersion(file, needs, sections[needs.Link].Offset);
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(versions.Offset + 2 * i), AnyVersion);
            Encoding.ASCII.GetBytes(Replacement + '\0').CopyTo(file, name);
            return true;
        }

        return false;
    }

    // A version that a library lacks stops the loader even when no symbol uses it, so the entry must name one that is
    // there.
    private static void RepointVersion(byte[] file, Section needs, int names)
    {
        int? newEntry = null, oldEntry = null;
        int library = needs.Offset, step;
        do
        {
            int entry = library + (int)UInt32(file, library + 8),
                entries = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(library + 2));
            for (int i = 0; i < entries; i++, entry += (int)UInt32(file, entry + 12))
            {
                string version = ReadName(file, names + (int)UInt32(file, entry + 8));
                newEntry = version == NewVersion ? entry : newEntry;
                oldEntry = version == OldVersion ? entry : oldEntry;
            }

            step = (int)UInt32(file, library + 12);
            library += step;
        }
        while (step != 0);

        if (newEntry is not { } to || oldEntry is not { } from)
        {
            throw new InvalidDataException(
                $"libLibTorchSharp.so: expected needs of {NewVersion} and {OldVersion}; is it TorchSharp 0.107.0?");
        }

        file.AsSpan(from, 4).CopyTo(file.AsSpan(to));             // the hash of the version's name
        file.AsSpan(from + 8, 4).CopyTo(file.AsSpan(to + 8));     // where the name is
    }

    private static Section[] ReadSections(byte[] file)
    {
        if (!file.AsSpan().StartsWith("\u007fELF\u0002\u0001"u8))
            throw new InvalidDataException("libLibTorchSharp.so: not a little-endian ELF-64 file.");

        int table = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(0x28));
        var sections = new Section[BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(0x3c))];
        for (int i = 0; i < sections.Length; i++)
        {
            int at = table + 64 * i;
            sections[i] = new Section(
                UInt32(file, at + 4), (int)UInt32(file, at + 24), (int)UInt32(file, at + 32),
                (int)UInt32(file, at + 40));
        }

        return sections;
    }

    private static Section Find(Section[] sections, uint type) =>
        Array.Find(sections, s => s.Type == type) is { Size: > 0 } section
            ? section
            : throw new InvalidDataException($"libLibTorchSharp.so: no section of type 0x{type:x}.");

    private static string ReadName(byte[] file, int at) =>
        Encoding.ASCII.GetString(file.AsSpan(at)[..file.AsSpan(at).IndexOf((byte)0)]);

    private static uint UInt32(byte[] file, int at) => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at));
}
