using TinyLlm.Cli;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What suggested commands begin with: what was typed.</summary>
public sealed class LauncherTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public LauncherTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "The paths are those of Unix.");

    [Fact]
    public void DotnetRun_IsOne_OnlyFromTheRepositorysRoot()
    {
        const string program = "/repo/src/Cli/bin/Release/net10.0/tinyllm";
        Assert.Equal("dotnet run -c Release --project src/Cli --",
            Launcher.Describe(program, program + ".dll", "/repo", "/bin", isBelowDotnet: true));
        Assert.Equal("./src/Cli/bin/Release/net10.0/tinyllm",
            Launcher.Describe(program, program + ".dll", "/repo", "/bin", isBelowDotnet: false));
        Assert.Equal(program, Launcher.Describe(program, program + ".dll", "/repo/data", "/bin", isBelowDotnet: true));
        Assert.Equal("./bin/Release/net10.0/tinyllm",
            Launcher.Describe(program, program + ".dll", "/repo/src/Cli", "/bin", isBelowDotnet: true));
    }

    [Fact]
    public void AnAssembly_IsCalledByDotnet()
    {
        Assert.Equal("dotnet out/tinyllm.dll",
            Launcher.Describe("/usr/share/dotnet/dotnet", "/home/me/out/tinyllm.dll", "/home/me", "/usr/bin", false));
        Assert.Equal("dotnet '/home/my own/tinyllm.dll'",
            Launcher.Describe("/usr/share/dotnet/dotnet", "/home/my own/tinyllm.dll", "/home/me", "/usr/bin", false));
    }

    [Fact]
    public void AProgramOnThePath_HasItsName_AndOthersTheirPlace()
    {
        foreach (string place in new[] { "tools", "my own", "links" })
            Directory.CreateDirectory(folder[place]);
        folder.Write("tools/tinyllm", "");
        folder.Write("my own/tinyllm", "");
        string tool = folder["tools/tinyllm"], own = folder["my own/tinyllm"];
        Assert.Equal("tinyllm", Launcher.Describe(tool, tool, "/", $"/bin::{folder["tools"]}", false));
        Assert.Equal("./tinyllm", Launcher.Describe(tool, tool, folder["tools"], "/bin", false));
        Assert.Equal($"'{own}'", Launcher.Describe(own, own, "/usr", $"/bin:{folder["tools"]}", false));

        File.CreateSymbolicLink(folder["links/tinyllm"], own);
        Assert.Equal("tinyllm", Launcher.Describe(own, own, "/", $"{folder["links"]}", false));
    }

    public void Dispose() => folder.Dispose();
}
