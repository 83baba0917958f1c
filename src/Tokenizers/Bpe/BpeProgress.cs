namespace TinyLlm.Tokenizers;

/// <summary>How far <see cref="BpeTrainer"/> is: first it counts the pre-tokens of the text, then it merges.</summary>
/// <param name="BytesCounted">Bytes of text counted so far.</param>
/// <param name="DistinctPreTokens">Distinct pre-tokens that are held.</param>
/// <param name="DroppedPreTokens">Pre-tokens that were dropped for being rare (see
/// <see cref="BpeTrainer.MaximumTextBytes"/>); 0 for most texts.</param>
/// <param name="Merges">Merges made.</param>
/// <param name="MergesWanted">Merges that the vocabulary asks for; fewer are made where no pair is left that occurs
/// twice.</param>
public readonly record struct BpeProgress(
    long BytesCounted, long DistinctPreTokens, long DroppedPreTokens, int Merges, int MergesWanted);
