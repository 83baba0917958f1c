using System.Buffers;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Characters as tokens: one id for each Unicode scalar value of the training text, in the order of their code points,
/// then the special tokens. It refuses what it does not know.
/// </summary>
public sealed class CharTokenizer : Tokenizer
{
    private readonly int[] idByCharacter; // by code point, -1 where unknown; as long as the largest one needs

    /// <summary>Builds the tokenizer whose id i is the character <paramref name="characters"/>[i].</summary>
    internal CharTokenizer(IReadOnlyList<Rune> characters)
        : base([.. characters.Select(c => Encoding.UTF8.GetBytes(c.ToString()))], AddedTokens.Own(characters.Count))
    {
        Characters = characters;
        idByCharacter = new int[characters.Max(c => c.Value) + 1];
        Array.Fill(idByCharacter, -1);
        for (int id = 0; id < characters.Count; id++)
            idByCharacter[characters[id].Value] = id;
    }

    /// <summary>The characters, by id.</summary>
    public IReadOnlyList<Rune> Characters { get; }

    /// <inheritdoc/>
    public override string Kind => "char";

    /// <summary>
    /// Collects the characters of a text, valid UTF-8. Those of the chat headers (line feed and the letters of
    /// <see cref="ChatTemplate.Roles"/>) are always in, so that a model pretrained with this tokenizer can be taught to
    /// chat.
    /// </summary>
    /// <param name="pieces">The text, cut between characters (<see cref="TextCut"/>).</param>
    /// <exception cref="TinyLlmException">The text is not valid UTF-8.</exception>
    public static CharTokenizer Train(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var known = new bool[0x110000];
        foreach (char character in string.Concat(ChatTemplate.Roles).Append('\n'))
            known[character] = true;
        foreach (var piece in pieces)
        {
            for (int at = 0; at < piece.Length;)
                known[Decode(piece.Span, ref at).Value] = true;
        }

        return new CharTokenizer([.. Enumerable.Range(0, known.Length).Where(c => known[c]).Select(c => new Rune(c))]);
    }

    /// <summary>
    /// Collects the characters of one text. See <see cref="Train(IEnumerable{ReadOnlyMemory{byte}})"/>.
    /// </summary>
    /// <exception cref="TinyLlmException">The text is not valid UTF-8.</exception>
    public static CharTokenizer Train(ReadOnlySpan<byte> text) => Train([text.ToArray()]);

    /// <inheritdoc/>
    private protected override void EncodeText(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        var room = ids.GetSpan(text.Length);
        int count = 0;
        for (int at = 0; at < text.Length;)
        {
            int start = at;
            Rune character = Decode(text, ref at);
            int id = character.Value < idByCharacter.Length ? idByCharacter[character.Value] : -1;
            if (id < 0)
            {
                throw new TinyLlmException($"The char tokenizer does not know the character U+{character.Value:X4} at "
                    + $"byte {start}; expected one of its {Characters.Count} characters; remove it from the text, or "
                    + "use a tokenizer that takes any text (bpe or byte).");
            }

            room[count++] = id;
        }

        ids.Advance(count);
    }

    private static Rune Decode(ReadOnlySpan<byte> text, ref int at)
    {
        if (Rune.DecodeFromUtf8(text[at..], out Rune character, out int bytes) != OperationStatus.Done)
        {
            throw new TinyLlmException($"The char tokenizer needs valid UTF-8, but byte 0x{text[at]:X2} at offset "
                + $"{at} begins no character; convert the text to UTF-8, or use a tokenizer that takes any bytes (bpe "
                + "or byte).");
        }

        at += bytes;
        return character;
    }
}
