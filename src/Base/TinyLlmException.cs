namespace TinyLlm;

/// <summary>
/// A mistake in the input (a value, a file, a shape) that the user can mend. The message is one line that says what is
/// wrong, what was expected, what was found and what to do; the command line prints it and exits with code 2.
/// </summary>
public sealed class TinyLlmException : Exception
{
    /// <summary>Creates the exception with its one-line message.</summary>
    public TinyLlmException(string message) : base(message) { }

    /// <summary>
    /// Creates the exception with its one-line message and the exception that caused it, where there is one.
    /// </summary>
    public TinyLlmException(string message, Exception? inner) : base(message, inner) { }
}
