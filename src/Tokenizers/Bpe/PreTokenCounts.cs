using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// How often each pre-token occurs in a text: all that <see cref="BpeTrainer"/> needs of it, and far smaller. Counts
/// from several parts of a text, or from several threads, are summed with <see cref="Add(PreTokenCounts)"/>; the order
/// does not matter.
/// </summary>
/// <remarks>
/// A hash table with open addressing over one array of UTF-8 bytes: about 30 bytes for each distinct pre-token, and its
/// text. A slot holds half of the hash beside the number of the pre-token, so that others are passed over without a
/// look at their bytes.
/// </remarks>
public sealed class PreTokenCounts
{
    private const int SmallestTable = 1024;

    // Upper half: the hash's upper half; lower half: 1 + the number, 0 where free.
    private ulong[] slots = new ulong[SmallestTable];
    private long[] counts = new long[SmallestTable / 2];
    private int[] ends = new int[SmallestTable / 2];  // by number: where its bytes end in text
    private byte[] text = new byte[8 * SmallestTable];

    /// <summary>Distinct pre-tokens.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all distinct pre-tokens.</summary>
    public int TextBytes => Count == 0 ? 0 : ends[Count - 1];

    /// <summary>
    /// The UTF-8 bytes of a distinct pre-token; they are numbered from 0 in the order in which they were first seen.
    /// </summary>
    public ReadOnlySpan<byte> Bytes(int number)
    {
        int start = number == 0 ? 0 : ends[number - 1];
        return text.AsSpan(start, ends[number] - start);
    }

    /// <summary>How often a distinct pre-token was seen.</summary>
    public long Occurrences(int number) => counts[number];

    /// <summary>
    /// Counts the pre-tokens of one document. Bytes that are not valid UTF-8 separate pre-tokens and are not counted:
    /// they are tokens of their own, so that no merge ever touches them.
    /// </summary>
    /// <exception cref="TinyLlmException">The distinct pre-tokens have more bytes than an array can hold.</exception>
    public void Add(ReadOnlySpan<byte> document)
    {
        byte[] utf8 = [];
        using var blocks = new Utf8Blocks(document);
        while (blocks.Read())
        {
            var block = blocks.Text;
            if (utf8.Length < Encoding.UTF8.GetMaxByteCount(block.Length))
            {
                ArrayPool<byte>.Shared.Return(utf8);
                utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(block.Length));
            }

            AddBlock(block, utf8.AsSpan(0, Encoding.UTF8.GetBytes(block, utf8)));
        }

        ArrayPool<byte>.Shared.Return(utf8);
    }

    /// <summary>Adds the counts of another part of the text.</summary>
    /// <exception cref="TinyLlmException">The distinct pre-tokens have more bytes than an array can hold.</exception>
    public void Add(PreTokenCounts other)
    {
        for (int number = 0; number < other.Count; number++)
            Add(other.Bytes(number), Hash(other.Bytes(number)), other.counts[number]);
    }

    /// <summary>Adds to the count of one pre-token, whose <see cref="Hash"/> the caller has.</summary>
    internal void Add(ReadOnlySpan<byte> preToken, ulong hash, long occurrences)
    {
        ulong tag = hash & 0xFFFFFFFF_00000000;
        int mask = slots.Length - 1;
        for (int slot = (int)hash & mask; ; slot = (slot + 1) & mask)
        {
            ulong found = slots[slot];
            if (found == 0)
            {
                Append(preToken, tag, slot, occurrences);
                return;
            }

            int number = (int)(uint)found - 1;
            if ((found & 0xFFFFFFFF_00000000) == tag && Bytes(number).SequenceEqual(preToken))
            {
                counts[number] += occurrences;
                return;
            }
        }
    }

    /// <summary>The same without the pre-tokens that were seen at most <paramref name="occurrences"/> times.</summary>
    internal PreTokenCounts WithoutRare(long occurrences)
    {
        var frequent = new PreTokenCounts();
        for (int number = 0; number < Count; number++)
        {
            if (counts[number] > occurrences)
                frequent.Add(Bytes(number), Hash(Bytes(number)), counts[number]);
        }

        return frequent;
    }

    /// <summary>Forgets everything and keeps the memory.</summary>
    internal void Clear()
    {
        Array.Clear(slots);
        Count = 0;
    }

    /// <summary>
    /// 64 bits of a pre-token: eight bytes at a time, multiplied and folded. The lower half names the slot, the upper
    /// half is the slot's tag.
    /// </summary>
    internal static ulong Hash(ReadOnlySpan<byte> preToken)
    {
        ulong hash = (ulong)preToken.Length;
        for (; preToken.Length >= sizeof(ulong); preToken = preToken[sizeof(ulong)..])
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(preToken));

        ulong rest = 0;
        foreach (byte b in preToken)
            rest = rest << 8 | b;
        return Fold(hash ^ rest);

        static ulong Fold(ulong value)
        {
            ulong high = Math.BigMul(value ^ 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, out ulong low);
            return high ^ low;
        }
    }

    // block: valid text; bytes: the same in UTF-8.
    private void AddBlock(ReadOnlySpan<char> block, ReadOnlySpan<byte> bytes)
    {
        bool ascii = block.Length == bytes.Length;
        for (int start = 0, at = 0; start < block.Length;)
        {
            int end = Qwen2Pattern.Next(block, start);
            int length = ascii ? end - start : Encoding.UTF8.GetByteCount(block[start..end]);
            var preToken = bytes.Slice(at, length);
            Add(preToken, Hash(preToken), 1);
            start = end;
            at += length;
        }
    }

    private void Append(ReadOnlySpan<byte> preToken, ulong tag, int slot, long occurrences)
    {
        int start = TextBytes;
        if ((long)start + preToken.Length > Array.MaxLength)
        {
            throw new TinyLlmException($"The distinct words of the text have more than {Array.MaxLength} bytes; "
                + "expected fewer; train the tokenizer on a part of the text.");
        }

        if (Count == counts.Length)
        {
            Array.Resize(ref counts, 2 * Count);
            Array.Resize(ref ends, 2 * Count);
        }

        int end = start + preToken.Length;
        if (end > text.Length)
            Array.Resize(ref text, (int)Math.Min(Array.MaxLength, Math.Max(end, text.Length * 3L / 2)));

        preToken.CopyTo(text.AsSpan(start));
        ends[Count] = end;
        counts[Count] = occurrences;
        slots[slot] = tag | (uint)(Count + 1);
        Count++;
        if (Count > slots.Length / 4 * 3)
            Grow();
    }

    private void Grow()
    {
        slots = new ulong[checked(2 * slots.Length)];
        int mask = slots.Length - 1;
        for (int number = 0; number < Count; number++)
        {
            ulong hash = Hash(Bytes(number));
            int slot = (int)hash & mask;
            while (slots[slot] != 0)
                slot = (slot + 1) & mask;
            slots[slot] = (hash & 0xFFFFFFFF_00000000) | (uint)(number + 1);
        }
    }
}
