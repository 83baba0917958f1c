using System.Buffers;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Bytes as tokens: ids 0 to 255 are the bytes, 256 to 258 the special tokens. Any bytes round-trip; there is nothing
/// to train.
/// </summary>
public sealed class ByteTokenizer()
    : Tokenizer([.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b })], AddedTokens.Own(256))
{
    /// <inheritdoc/>
    public override string Kind => "byte";

    /// <inheritdoc/>
    private protected override void EncodeText(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        var room = ids.GetSpan(text.Length);
        for (int i = 0; i < text.Length; i++)
            room[i] = text[i];
        ids.Advance(text.Length);
    }
}
