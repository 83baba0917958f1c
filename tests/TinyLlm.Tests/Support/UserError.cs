using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Checks of messages that the user reads.</summary>
public static class UserError
{
    /// <summary>
    /// The action throws a <see cref="TinyLlmException"/> of one line that has all of these parts; returns it.
    /// </summary>
    public static TinyLlmException Expect(Action action, params string[] parts)
    {
        var error = Assert.Throws<TinyLlmException>(action);
        CheckLine(error);
        foreach (string part in parts)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        return error;
    }

    /// <summary>The message is one line of a length that a person reads.</summary>
    public static void CheckLine(TinyLlmException error)
    {
        Assert.DoesNotContain(error.Message, c => char.IsControl(c));
        Assert.InRange(error.Message.Length, 20, 2000);
        Assert.EndsWith(".", error.Message, StringComparison.Ordinal);
    }
}
