using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training.Optimizers;

public sealed class MuonStepTestsOnCpu : MuonStepTests<Cpu256Threads3>;

public sealed class MuonStepTestsOnSimulated : MuonStepTests<Simulated>;

/// <summary>
/// Whole steps of Muon on given gradients, beside the same in double precision: matrices by Newton-Schulz, each linear
/// map by itself, the rest by AdamW.
/// </summary>
public abstract class MuonStepTests<TDevice> where TDevice : IDevice
{
    private const int Width = 8, Steps = 3;
    private const float Rate = 2e-3f, Factor = 12.5f, Momentum = 0.95f;

    private static readonly AdamWSettings others = new(0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1);

    [Theory]
    [InlineData(Architecture.Gpt2)]
    [InlineData(Architecture.Qwen3)]
    public void Steps_MatchReference(Architecture architecture)
    {
        using var backend = TDevice.Create();
        using var run = new Run(backend, architecture, DType.F32);
        var references = run.Model.Parameters.All.Select(p => new Reference(p, MapsOf(p, run.Model.Config))).ToList();
        Assert.Contains(references, reference => reference.Maps.Length == 3);

        for (int step = 0; step < Steps; step++)
        {
            float[][] gradients = run.Step(step);
            double norm = Math.Sqrt(gradients.Sum(g => g.Sum(x => (double)x * x)));
            for (int i = 0; i < references.Count; i++)
                references[i].Step(Array.ConvertAll(gradients[i], x => (double)x), norm, step);
            foreach (var (parameter, reference) in run.Model.Parameters.All.Zip(references))
            {
                Compare.Close(
                    $"{parameter.Name} after step {step + 1}", reference.Values, ModelRun.Read(parameter.Value),
                    parameter.Shape, 2e-5, 1);
            }
        }

        var state = run.Optimizer.State.ToDictionary(s => s.Name, s => s.Tensor);
        foreach (var (parameter, reference) in run.Model.Parameters.All.Zip(references))
        {
            string name = parameter.Group == ParameterGroup.Matrix ? "momentum." : "m.";
            Compare.Close(
                name + parameter.Name, reference.M, ModelRun.Read(state[name + parameter.Name]), parameter.Shape,
                2e-6, 1);
            Assert.Equal(parameter.Group != ParameterGroup.Matrix, state.ContainsKey("v." + parameter.Name));
        }
    }

    /// <summary>
    /// Adapters are matrices too; the one of GPT-2's stacked q, k and v is stacked as they are. What is not trained
    /// stays.
    /// </summary>
    [Fact]
    public void Adapters_AreTrained_AndTheBaseStays()
    {
        using var backend = TDevice.Create();
        using var run = new Run(backend, Architecture.Gpt2, DType.F32, new LoraSettings(2, 4, ["c_attn"]));
        float[][] before = [.. run.Model.Parameters.All.Select(p => ModelRun.Read(p.Value))];
        Parameter a = run.Model.Trained.All[0], b = run.Model.Trained.All[1];
        Assert.Equal(2, run.Model.Trained.All.Count);
        Reference[] references = [new(a, [2]), new(b, [Width, Width, Width])];

        float[][] gradients = run.Step(0);

        double norm = Math.Sqrt(gradients.Sum(g => g.Sum(x => (double)x * x)));
        foreach (var (parameter, reference, gradient) in run.Model.Trained.All.Zip(references, gradients))
        {
            reference.Step(Array.ConvertAll(gradient, x => (double)x), norm, 0);
            Compare.Close(parameter.Name, reference.Values, ModelRun.Read(parameter.Value), parameter.Shape, 2e-5, 1);
        }

        foreach (var (expected, parameter) in before.Zip(run.Model.Parameters.All))
            Compare.SameBits(parameter.Name, expected, ModelRun.Read(parameter.Value));
    }

    [Fact]
    public void AGradientThatIsNotFinite_ChangesNothing()
    {
        using var backend = TDevice.Create();
        using var run = new Run(backend, Architecture.Gpt2, DType.F32);
        run.Step(0);
        float[][] before = run.All();

        run.Step(1, broken: true);

        foreach (var (expected, actual) in before.Zip(run.All()))
            Compare.SameBits("weights and state", expected, actual);
    }

    /// <summary>Where the passes compute with rounded copies, these follow the weights.</summary>
    [Fact]
    public void WorkingCopies_FollowTheWeights()
    {
        using var backend = TDevice.Create();
        if (!backend.Supports(DType.BF16))
            return;
        using var run = new Run(backend, Architecture.Qwen3, DType.BF16);
        run.Step(0);
        foreach (var parameter in run.Model.Parameters.All.Where(p => p.HasWorkingCopy))
        {
            Compare.SameBits(
                parameter.Name, Array.ConvertAll(ModelRun.Read(parameter.Value), TinyLlm.Kernels.Gpu.BFloat16.Round),
                ModelRun.Read(parameter.Working));
        }
    }

    // Rows of the linear maps in a matrix, written out by hand.
    private static int[] MapsOf(Parameter parameter, GptConfig config)
    {
        int kv = config.KvHeads * config.HeadSize;
        return parameter.Name.Split('.')[^2] switch
        {
            "c_attn" => [Width, Width, Width],
            "qkv_proj" => [Width, kv, kv],
            "gate_up_proj" => [config.MlpWidth, config.MlpWidth],
            _ => [parameter.Shape[0]],
        };
    }

    private sealed class Reference(Parameter parameter, int[] maps)
    {
        private readonly double[] v = new double[parameter.Shape.Count];

        public int[] Maps => maps;

        public double[] Values { get; } = Array.ConvertAll(ModelRun.Read(parameter.Value), x => (double)x);

        public double[] M { get; } = new double[parameter.Shape.Count];

        public void Step(double[] gradient, double norm, int step)
        {
            if (parameter.Group != ParameterGroup.Matrix)
            {
                ReferenceOps.AdamW(Values, gradient, M, v, norm, step, Rate, others.Beta1, others.Beta2, others.Epsilon,
                    parameter.Group == ParameterGroup.Vector ? 0 : others.WeightDecay, others.Clip);
                return;
            }

            double[] update = ReferenceOps.MuonMomentum(gradient, M, norm, Momentum, others.Clip);
            int columns = parameter.Shape[1], first = 0;
            foreach (int rows in maps)
            {
                int start = first * columns, end = start + rows * columns;
                double[] values = Values[start..end],
                    direction = ReferenceOps.NewtonSchulz(update[start..end], rows, columns, 3.4445, -4.775, 2.0315);
                ReferenceOps.MuonStep(
                    values, direction, (double)Rate * Factor, Math.Sqrt(Math.Max(1, (double)rows / columns)),
                    others.WeightDecay);
                values.CopyTo(Values, start);
                first += rows;
            }
        }
    }

    private sealed class Run : IDisposable
    {
        private readonly Arena arena;
        private readonly StepState state;

        public Run(Backend backend, Architecture architecture, DType type, LoraSettings? lora = null)
        {
            Model = new Gpt(
                GptConfig.Create(
                    architecture, 1, 2, Width, 6, 11, architecture == Architecture.Gpt2 ? 2
                    : 1) with
                { ComputeType = type, Lora = lora }, backend);
            Model.Initialize(4);
            if (lora is not null)
                Model.InitializeAdapter(4);
            arena = new Arena(backend, "test");
            Model.PlanGradients(arena);
            Optimizer = new Muon(
                Model, Model.Trained.All, new MuonSettings(Rate * Factor, Momentum), Factor, others, arena,
                arena.Add("squared norm", 1));
            state = new StepState(arena);
            arena.Allocate();
        }

        public Gpt Model { get; }

        public Muon Optimizer { get; }

        /// <summary>A step on gradients that follow from its number; returns them.</summary>
        public float[][] Step(int step, bool broken = false)
        {
            var values = new RandomValues(20 + step);
            float[][] gradients = [.. Model.Trained.All.Select(p => values.Floats(p.Shape.Count, scale: 0.1))];
            if (broken)
                gradients[^1][0] = float.NaN;
            foreach (var (parameter, gradient) in Model.Trained.All.Zip(gradients))
                Model.Backend.Write(parameter.Gradient!.Value, gradient);
            state.Send(1, step, 0, Rate, others.Beta1, others.Beta2);
            Optimizer.Step(state);
            return gradients;
        }

        public float[][] All() =>
            [.. Model.Trained.All.Select(p => ModelRun.Read(p.Value)),
                .. Optimizer.State.Select(s => ModelRun.Read(s.Tensor))];

        public void Dispose()
        {
            arena.Dispose();
            Model.Dispose();
        }
    }
}
