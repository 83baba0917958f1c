namespace TinyLlm.Tests.Support.Ptx;

/// <summary>PTX that cannot be read, or a kernel that did what the PTX ISA does not allow.</summary>
internal sealed class PtxException(string message) : Exception(message);
