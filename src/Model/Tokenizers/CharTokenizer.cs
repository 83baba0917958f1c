using System.Text;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Characters as tokens: one id for each Unicode scalar value of the training text, in the order of their code points, then the special
/// tokens. It refuses what it does not know.
/// </summary>
public sealed class CharTokenizer : Tokenizer
{
    private readonly byte[][] tokens;
    private readonly int[] ids; // by code point, -1 where unknown; as long as the largest one needs

    /// <summary>Builds the tokenizer whose id i is the character <paramref name="characters"/>[i].</summary>
    internal CharTokenizer(IReadOnlyList<Rune> characters)
    {
        Characters = characters;
        tokens = [.. characters.Select(c => Encoding.UTF8.GetBytes(c.ToString())), .. SpecialTokenBytes()];
        ids = new int[characters.Max(c => c.Value) + 1];
        Array.Fill(ids, -1);
        for (int id = 0; id < characters.Count; id++)
            ids[characters[id].Value] = id;
    }

    /// <summary>The characters, by id.</summary>
    public IReadOnlyList<Rune> Characters { get; }

    /// <inheritdoc/>
    public override string Kind => "char";

    /// <inheritdoc/>
    public override int VocabularySize => tokens.Length;

    /// <summary>
    /// Collects the characters of <paramref name="text"/>, valid UTF-8. Those of the chat headers (line feed and the letters of
    /// <see cref="ChatTemplate.Roles"/>) are always in, so that a model pretrained with this tokenizer can be taught to chat.
    /// </summary>
    /// <exception cref="TinyLlmException">The text is not valid UTF-8.</exception>
    public static CharTokenizer Train(ReadOnlySpan<byte> text)
    {
        var seen = new SortedSet<Rune>(string.Concat(ChatTemplate.Roles).Append('\n').Select(c => new Rune(c)));
        var known = new bool[0x110000];
        for (int at = 0; at < text.Length;)
        {
            Rune character = Decode(text, ref at);
            if (!known[character.Value])
                seen.Add(character);
            known[character.Value] = true;
        }

        return new CharTokenizer([.. seen]);
    }

    /// <inheritdoc/>
    public override int[] Encode(ReadOnlySpan<byte> text)
    {
        var encoded = new List<int>(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int start = at;
            Rune character = Decode(text, ref at);
            int id = character.Value < ids.Length ? ids[character.Value] : -1;
            if (id < 0)
                throw new TinyLlmException($"The char tokenizer does not know the character U+{character.Value:X4} at byte {start}; expected one of its {Characters.Count} characters; remove it from the text, or use a tokenizer that takes any text (bpe or byte).");
            encoded.Add(id);
        }

        return [.. encoded];
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)tokens.Length ? tokens[id] : throw UnknownId(id);

    /// <inheritdoc/>
    public override void Save(string folder) => TokenizerFolder.Save(this, folder);

    private static Rune Decode(ReadOnlySpan<byte> text, ref int at)
    {
        if (Rune.DecodeFromUtf8(text[at..], out Rune character, out int bytes) != System.Buffers.OperationStatus.Done)
            throw new TinyLlmException($"The char tokenizer needs valid UTF-8, but byte 0x{text[at]:X2} at offset {at} begins no character; convert the text to UTF-8, or use a tokenizer that takes any bytes (bpe or byte).");
        at += bytes;
        return character;
    }
}
