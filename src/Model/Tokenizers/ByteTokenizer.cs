namespace TinyLlm.Model.Tokenizers;

/// <summary>Bytes as tokens: ids 0 to 255 are the bytes, 256 to 258 the special tokens. Any bytes round-trip; there is nothing to train.</summary>
public sealed class ByteTokenizer : Tokenizer
{
    private readonly byte[][] tokens = [.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. SpecialTokenBytes()];

    /// <inheritdoc/>
    public override string Kind => "byte";

    /// <inheritdoc/>
    public override int VocabularySize => tokens.Length;

    /// <inheritdoc/>
    public override int[] Encode(ReadOnlySpan<byte> text)
    {
        var ids = new int[text.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = text[i];
        return ids;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)tokens.Length ? tokens[id] : throw UnknownId(id);

    /// <inheritdoc/>
    public override void Save(string folder) => TokenizerFolder.Save(this, folder);
}
