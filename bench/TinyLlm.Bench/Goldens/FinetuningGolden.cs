using System.Text.Json.Nodes;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// What finetuning adds to a model's golden values: the loss and gradients of packed documents, comparisons (DPO and
/// its kin), and steps of Muon. All from plain tensor operations in double precision; documents and answers go through
/// the model one by one, so that nothing here knows of masks or padding.
/// </summary>
internal sealed class FinetuningGolden(string architecture, ulong seed)
{
    private const int Pairs = 3, MuonSteps = 5;
    private const double MuonRate = 0.02, Momentum = 0.95, Clip = 0.5;

    // Lengths of the documents in each row; the second row is not full.
    private static readonly int[][] packedRows = [[6, 4, 3], [1, 9]];

    // Loss, beta, label smoothing, as --dpo-loss, --dpo-beta and --label-smoothing take them. The gradients are those
    // of the second.
    private static readonly (string Loss, double Beta, double Smoothing)[] preferences =
        [("sigmoid", 0.1, 0), ("sigmoid", 0.7, 0.2), ("sigmoid_norm", 2, 0.1), ("ipo", 0.3, 0)];
    private const int GradientOf = 1;

    private readonly GoldenRandom random = new(seed + 1000);
    private readonly JsonObject inputs = [];
    private readonly List<(string Name, Tensor Value)> expected = [];

    /// <summary>Token ids and, for each, the one to predict or -1.</summary>
    private sealed record Sequence(long[] Tokens, long[] Targets)
    {
        public int Scored => Targets.Count(t => t >= 0);

        public JsonObject ToJson() => new() { ["tokens"] = Numbers(Tokens), ["targets"] = Numbers(Targets) };
    }

    /// <summary>Writes <c>finetuning.json</c> and <c>finetuning.safetensors</c>.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="tokens">(B, T): the batch that Muon learns from.</param>
    /// <param name="targets">(B, T).</param>
    /// <param name="comparisons">Whether to work out comparisons.</param>
    public void Write(string folder, Tensor tokens, Tensor targets, bool comparisons)
    {
        Pack();
        if (comparisons)
            Compare();
        TrainByMuon(tokens, targets);
        File.WriteAllText(Path.Combine(folder, "finetuning.json"), inputs.ToJsonString() + "\n");
        SafetensorsFile.Write(Path.Combine(folder, "finetuning.safetensors"), expected);
        Console.WriteLine(
            "  finetuning: " + string.Join(", ", expected.Where(e => e.Value.numel() <= 5).Select(e =>
                $"{e.Name} {string.Join(' ', GoldenCommand.Values(e.Value).Select(v => v.ToString("F6", null)))}")));
    }

    // The model with the weights of its file.
    private GoldenModel NewModel() => GoldenModel.Create(architecture, new GoldenRandom(seed));

    private void Pack()
    {
        var rows = packedRows.Select(lengths => lengths.Select(length => Draw(length, masked: length / 3)).ToList())
            .ToList();
        inputs["packed"] = new JsonArray(
            [.. rows.Select(row => (JsonNode)new JsonArray([.. row.Select(document => (JsonNode)document.ToJson())]))]);
        var model = NewModel();
        var documents = rows.SelectMany(row => row).ToList();
        var loss = -documents.Select(document => LogProbability(model, document))
            .Aggregate((a, b) => a + b) / documents.Sum(d => d.Scored);
        loss.backward();
        expected.Add(("packed.loss", loss.view(1)));
        AddGradients("packed.grad.", model);
    }

    private void Compare()
    {
        // A prompt, and two answers to it of different lengths.
        var answers = new List<Sequence>();
        for (int pair = 0; pair < Pairs; pair++)
        {
            var prompt = Draw(3 + pair, masked: 3 + pair).Tokens;
            foreach (int length in (int[])[4 - pair, 3 + 2 * pair])
            {
                var whole = Draw(prompt.Length + length, masked: prompt.Length - 1);
                prompt.CopyTo(whole.Tokens, 0);
                answers.Add(whole);
            }
        }

        inputs["answers"] = new JsonArray([.. answers.Select(answer => (JsonNode)answer.ToJson())]);
        inputs["preferences"] = new JsonArray(
            [.. preferences.Select(
                p => (JsonNode)new JsonObject { ["loss"] = p.Loss, ["beta"] = p.Beta, ["smoothing"] = p.Smoothing })]);
        var other = GoldenModel.Create(architecture, new GoldenRandom(seed + 2000));
        var reference = stack([.. answers.Select(answer => LogProbability(other, answer).detach())]);
        var counts = tensor(answers.Select(answer => (double)answer.Scored).ToArray(), dtype: ScalarType.Float64);
        var model = NewModel();
        var logs = stack([.. answers.Select(answer => LogProbability(model, answer))]);
        expected.AddRange([("dpo.reference", reference), ("dpo.logs", logs)]);

        var losses = new List<Tensor>();
        var slopes = new List<Tensor>();
        foreach (var preference in preferences)
        {
            var leaf = logs.detach().requires_grad_();
            var loss = Loss(leaf, reference, counts, preference);
            loss.backward();
            losses.Add(loss.detach());
            slopes.Add(leaf.grad!.clone());
        }

        expected.AddRange([("dpo.losses", stack([.. losses])), ("dpo.slopes", stack([.. slopes]))]);
        Loss(logs, reference, counts, preferences[GradientOf]).backward();
        AddGradients("dpo.grad.", model);
    }

    // The mean loss of pairs; logs of the chosen answers at even places, of the rejected ones at odd places.
    private static Tensor Loss(
        Tensor logs, Tensor reference, Tensor counts, (string Loss, double Beta, double Smoothing) settings)
    {
        var ratios = logs - reference;
        if (settings.Loss != "sigmoid")
            ratios = ratios / counts;
        var pairs = ratios.view(-1, 2);
        var h = pairs.select(1, 0) - pairs.select(1, 1);
        return (settings.Loss == "ipo"
            ? (h - 1 / (2 * settings.Beta)).square()
            : -(1 - settings.Smoothing) * F.logsigmoid(settings.Beta * h)
                - settings.Smoothing * F.logsigmoid(-settings.Beta * h)).mean();
    }

    private void TrainByMuon(Tensor tokens, Tensor targets)
    {
        var model = NewModel();
        static bool IsMatrix(GoldenParameter p) =>
            p.Value.dim() == 2 && !p.Name.Contains("wte") && !p.Name.Contains("wpe") && !p.Name.Contains("embed")
                && !p.Name.Contains("lm_head");
        var matrices = model.Parameters.Where(IsMatrix).ToList();
        var adamW = GoldenCommand.NewAdamW(model.Parameters.Where(p => !IsMatrix(p)));
        var momenta = matrices.ConvertAll(p => zeros_like(p.Value));
        var losses = new double[MuonSteps];
        for (int step = 0; step < MuonSteps; step++)
        {
            foreach (var parameter in model.Parameters)
                parameter.Value.grad?.zero_();
            var loss = GoldenModel.Loss(model.Forward(tokens), targets);
            loss.backward();
            losses[step] = loss.item<double>();
            using var noGrad = no_grad();
            double norm = Math.Sqrt(model.Parameters.Sum(p => p.Value.grad!.square().sum().item<double>()));
            foreach (var parameter in model.Parameters)
                parameter.Value.grad!.mul_(Math.Min(1, Clip / (norm + 1e-6)));
            adamW.step();
            foreach (var (parameter, momentum) in matrices.Zip(momenta))
                MuonStep(parameter, momentum);
        }

        expected.Add(("muon.losses", tensor(losses, dtype: ScalarType.Float64)));
        expected.AddRange(model.Parameters.Select(p => ("muon." + p.Name, p.Value)));
    }

    // GPT-2's files have (in, out), and q, k and v side by side: three maps.
    private void MuonStep(GoldenParameter parameter, Tensor momentum)
    {
        var gradient = parameter.Value.grad!;
        momentum.mul_(Momentum).add_(gradient);
        var update = gradient + Momentum * momentum;
        bool transposed = architecture == "gpt2";
        int parts = parameter.Name.Contains("c_attn") ? 3 : 1;
        var directions = update.chunk(parts, transposed ? 1 : 0).Select(part =>
        {
            var map = transposed ? part.t() : part; // (out, in)
            var direction = Orthogonalize(map) * Math.Sqrt(Math.Max(1, (double)map.shape[0] / map.shape[1]));
            return transposed ? direction.t() : direction;
        });
        var value = parameter.Value;
        value.mul_(1 - MuonRate * GoldenCommand.WeightDecay).add_(cat([.. directions], transposed ? 1 : 0), -MuonRate);
    }

    // Newton-Schulz as the reference has it: a wide matrix is iterated as it stands, a tall one transposed.
    private static Tensor Orthogonalize(Tensor update)
    {
        bool tall = update.shape[0] > update.shape[1];
        var x = (tall ? update.t() : update) / (update.norm() + 1e-7);
        for (int i = 0; i < 5; i++)
        {
            var gram = x.matmul(x.t());
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram.matmul(gram)).matmul(x);
        }

        return tall ? x.t() : x;
    }

    // The sum over the scored tokens.
    private static Tensor LogProbability(GoldenModel model, Sequence sequence)
    {
        int length = sequence.Tokens.Length;
        var logits = model.Forward(tensor(sequence.Tokens, [1, length])).view(length, -1);
        var scored = Enumerable.Range(0, length).Where(i => sequence.Targets[i] >= 0).Select(i => (long)i).ToArray();
        return F.log_softmax(logits, -1)[tensor(scored)].gather(
            -1, tensor(scored.Select(i => sequence.Targets[i]).ToArray()).unsqueeze(-1)).sum();
    }

    // The first are not scored.
    private Sequence Draw(int length, int masked)
    {
        long[] ids = [.. Enumerable.Range(0, length + 1).Select(_ => (long)random.Next(GoldenModel.Vocabulary))];
        return new Sequence(ids[..^1], [.. ids[1..].Select((id, i) => i < masked ? -1 : id)]);
    }

    private void AddGradients(string prefix, GoldenModel model) =>
        expected.AddRange(model.Parameters.Select(p => (prefix + p.Name, p.Value.grad!.clone())));

    private static JsonArray Numbers(long[] values) => new([.. values.Select(v => (JsonNode)v)]);
}
