namespace TinyLlm.Data.Downloads;

/// <summary>Where a download stands.</summary>
/// <param name="File">The file's name.</param>
/// <param name="Bytes">Bytes that are there, those of earlier runs included.</param>
/// <param name="Total">Bytes of the whole file; null where the server does not tell.</param>
/// <param name="Note">Something worth a line (a cut and the next attempt, a file that is there already); null where
/// only the count has moved.</param>
public readonly record struct DownloadProgress(string File, long Bytes, long? Total, string? Note = null);
