using System.CommandLine;
using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Smoke;

/// <summary>One check.</summary>
/// <param name="Status">ok, failed or skipped.</param>
/// <param name="Detail">What was seen, the error word for word, or why it was skipped.</param>
internal sealed record SmokeResult(string Check, string Status, string Detail);

/// <summary>
/// <c>smoke</c>: what cannot be known before a program has met a card, each by itself: one failure does not hide the
/// next. Then the ops that all else rests on.
/// </summary>
internal static class SmokeCommand
{
    private const string Ok = "ok", Failed = "failed", Skipped = "skipped";

    // What TensorCores reads when a device is opened: with it, Hopper too multiplies by mma.sync.
    private const string TensorCoresVariable = "TINYLLM_TENSOR_CORES", MmaAlone = "mma";

    // With edges in all directions: small, and large enough for the largest tiles.
    private static readonly MatMulShape smallProduct = new("smoke", "", "", 200, 136, 72),
        largeProduct = new("smoke", "", "", 4104, 4136, 1048);
    private static readonly AttentionShape attention = new("", 2, 150, 4, 2, 64);

    public static Command Create()
    {
        var options = new BenchOptions();
        var command = new Command("smoke", "Try each feature of the device that TinyLlm needs.");
        options.AddTo(command);
        command.SetAction(parse => Run(options.DeviceName(parse), options.Quick(parse), options.Json(parse)));
        return command;
    }

    private static int Run(string device, bool quick, FileInfo? json)
    {
        var results = new Results("smoke", device, json, "check", "result", "what was seen");
        string found = device;
        bool isThere = Add("device", () => OnBackend(device, backend =>
        {
            found = backend.Name;
            return $"{backend.Description}; {backend.AvailableBytes >> 20} MiB free";
        }));
        if (isThere)
        {
            foreach (var (name, check) in Checks(found, quick))
                Add(name, check);
        }

        return results.ExitCode;

        bool Add(string name, Func<string?> check)
        {
            var result = Try(name, check);
            results.Add(result, result.Status != Failed, name, result.Status, result.Detail);
            return result.Status != Failed;
        }
    }

    private static IEnumerable<(string Name, Func<string?> Check)> Checks(string device, bool quick)
    {
        yield return ("ordinary kernel", () => AcceleratorChecks.OrdinaryKernel(device));
        yield return ("mma.sync, bf16", () => AcceleratorChecks.TensorCores(device));
        yield return ("shared memory above 48 KB", () => AcceleratorChecks.DynamicSharedMemory(device));
        yield return ("wgmma, bf16", () => AcceleratorChecks.WarpgroupTensorCores(device));
        yield return ("recorded sequence", () => OnBackend(device, BackendChecks.Sequence));
        yield return ("cost of a launch", () => OnBackend(device, backend => BackendChecks.LaunchCost(backend, quick)));
        yield return ("read-back", () => OnBackend(device, backend => BackendChecks.ReadBack(backend, quick)));
        foreach (var (precision, cores) in Variants(device))
        {
            string name = cores.Length == 0 ? precision : $"{precision}, mma.sync alone";
            MatMulShape[] products = quick ? [smallProduct with { M = 24, Precision = precision }]
                : [smallProduct with { Precision = precision }, largeProduct with { Precision = precision }];
            yield return ($"MatMul, {name}",
                () => OnBackend(device, backend => BackendChecks.MatMul(backend, products), cores));
            var shape = attention with { Precision = precision, T = quick ? 20 : attention.T };
            yield return ($"Attention, {name}",
                () => OnBackend(device, backend => BackendChecks.Attention(backend, shape), cores));
        }
    }

    // The older instructions first: they are likelier to be right.
    private static (string Precision, string Cores)[] Variants(string device) =>
        device == "cuda" ? [(Sizes.Fp32, ""), (Sizes.Bf16, MmaAlone), (Sizes.Bf16, "")]
        : [(Sizes.Fp32, ""), (Sizes.Bf16, "")];

    // Whatever a driver throws is a finding.
    private static SmokeResult Try(string name, Func<string?> check)
    {
        try
        {
            return check() is { } seen ? new SmokeResult(name, Ok, seen)
                : new SmokeResult(name, Skipped, "this device has no such thing");
        }
        catch (Exception e)
        {
            return new SmokeResult(name, Failed, $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    // A device of its own for each check: an illegal access spoils a context for all that comes after.
    private static string? OnBackend(string device, Func<Backend, string?> check, string tensorCores = "")
    {
        string? before = Environment.GetEnvironmentVariable(TensorCoresVariable);
        if (tensorCores.Length > 0)
            Environment.SetEnvironmentVariable(TensorCoresVariable, tensorCores);
        try
        {
            using var backend = Backend.Create(device);
            return check(backend);
        }
        finally
        {
            Environment.SetEnvironmentVariable(TensorCoresVariable, before);
        }
    }
}
