using System.ComponentModel;
using System.Diagnostics;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>
/// The peers that are npm packages: Hugging Face's <c>tokenizers</c>, native, and <c>tiktoken</c>, OpenAI's compiled to
/// WebAssembly.
/// </summary>
internal sealed class NpmPackages
{
    /// <summary>As <c>scripts/check-tokenizer</c> has it.</summary>
    public const string HuggingFace = "tokenizers@0.23.2";

    public const string Tiktoken = "tiktoken@1.0.22";

    private readonly string folder;

    /// <summary>Installs the packages into a folder, unless they are there.</summary>
    /// <exception cref="InvalidOperationException">npm is missing, or could not install them.</exception>
    public NpmPackages(string folder)
    {
        this.folder = folder;
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "tokenizers"))
            || !Directory.Exists(Path.Combine(folder, "node_modules", "tiktoken")))
            Install();
    }

    /// <summary>How <c>node</c> is started with one of the scripts beside this file.</summary>
    public ProcessStartInfo Node(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo(
            "node", [Path.Combine(AppContext.BaseDirectory, "Tokenizers", script),
                .. arguments]) { RedirectStandardOutput = true };
        start.Environment["NODE_PATH"] = Path.Combine(folder, "node_modules");
        return start;
    }

    private void Install()
    {
        Directory.CreateDirectory(folder);
        try
        {
            using var npm = Process.Start(
                new ProcessStartInfo(
                    "npm", ["install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, HuggingFace,
                        Tiktoken]))!;
            npm.WaitForExit();
            if (npm.ExitCode != 0)
            {
                throw new InvalidOperationException(
                    $"npm install {HuggingFace} {Tiktoken}: exit code {npm.ExitCode}, expected 0.");
            }
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException(
                $"npm: {e.Message}; expected Node.js with npm on the path; the peers are npm packages.", e);
        }
    }
}
