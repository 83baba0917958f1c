using TinyLlm.Kernels;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

/// <summary>
/// Wrong shapes: an ArgumentException that names the op, the argument and both shapes. The checks are the same on every
/// device.
/// </summary>
public sealed class ShapeCheckTests : BackendTests<Cpu256>
{
    public static TheoryData<string> Calls => new(Messages.Keys);

    private static Dictionary<string, string> Messages => new()
    {
        ["MatMul"] = "MatMul: x is (8, 64), weight is (128, 32); the inner sizes must match.",
        ["MatMul y"] = "MatMul: x is (8, 64), weight is (128, 64), so y must be (8, 128), not (8, 127).",
        ["MatMulBackwardInput"] = "MatMulBackwardInput: x is (8, 64), weight is (128, 32); the inner sizes must match.",
        ["MatMulBackwardWeight"] = "MatMulBackwardWeight: dBias is (127); expected (128).",
        ["MatMul strided"] = "MatMul: x (8, 32) is strided; expected a contiguous tensor.",
        ["MatMulAdd"] = "MatMulAdd: addend is (8, 64); expected (8, 128).",
        ["MatMulGelu"] = "MatMulGelu: pre is (8, 64); expected (8, 128).",
        ["MatMulBackwardGelu"] = "MatMulBackwardGelu: pre is (8, 128); expected (8, 64).",
        ["Embedding"] = "Embedding: y is (2, 3, 4); expected (2, 3, 5).",
        ["Embedding dtype"] = "Embedding: tokens is F32; expected I32.",
        ["EmbeddingBackward"] = "EmbeddingBackward: positions is (3, 2); expected (2, 3).",
        ["LayerNorm"] = "LayerNorm: bias is (4); expected (5).",
        ["LayerNormBackward"] = "LayerNormBackward: dx is (6, 4); expected (6, 5).",
        ["RmsNorm"] = "RmsNorm: rstd is (5); expected (6).",
        ["RmsNormBackward"] = "RmsNormBackward: dWeight is (4); expected (5).",
        ["Rope"] = "Rope: x is (1, 2, 3, 5); expected (B, T, H, D) with an even D.",
        ["RopeBackward"] = "RopeBackward: table is (9, 4); expected (9, 6).",
        ["Attention"] = "Attention: q is (1, 4, 3, 8), k is (1, 4, 2, 8); expected (B, Tq, H, D) and (B, Tk, Hkv, D) "
            + "with H a multiple of Hkv.",
        ["Attention offsets"] = "Attention: q is (1, 4, 2, 8), k is (1, 3, 2, 8); without offsets there must be a key "
            + "for each query.",
        ["AttentionBackward"] = "AttentionBackward: dk is (1, 4, 4, 8); expected (1, 4, 2, 8).",
        ["CacheWrite"] = "CacheWrite: x is (1, 4, 2, 7); expected (1, 4, 2, 8).",
        ["Gelu"] = "Gelu: y is (6, 4); expected (6, 5).",
        ["GeluBackward"] = "GeluBackward: dy is (6, 4); expected (6, 5).",
        ["SwiGlu"] = "SwiGlu: gateUp is (6, 10), the product is (6, 4); expected (..., 2F) and (..., F).",
        ["SwiGluBackward"] = "SwiGluBackward: dGateUp is (6, 8); expected (6, 10).",
        ["Softmax"] = "Softmax: y is (6, 4); expected (6, 5).",
        ["SoftmaxBackward"] = "SoftmaxBackward: dx is (5, 5); expected (6, 5).",
        ["AddScaled"] = "AddScaled: y is (6, 4); expected (6, 5).",
        ["Add"] = "Add: b is (6, 4); expected (6, 5).",
        ["Dropout"] = "Dropout: y is (6, 4); expected (6, 5).",
        ["Dropout probability"] = "Dropout: the probability is 1; expected 0 or more and less than 1.",
        ["LinearCrossEntropy"] = "LinearCrossEntropy: hidden is (6, 5), weight is (8, 4), the vocabulary is 7; "
            + "expected (N, C), (Vpadded, C) and 1 to Vpadded.",
        ["LinearCrossEntropyBackward"] = "LinearCrossEntropyBackward: tokenWeights is (5); expected (6).",
        ["Quantize"] = "Quantize: 13 floats into 4 rows.",
        ["QuantizedMatMul"] = "QuantizedMatMul: weight.Values is (4, 64); expected (4, 128).",
        ["QuantizedMatMul y"] = "QuantizedMatMul: x is (8, 40), weight has 4 rows, so y must be (8, 4), not (8, 5).",
        ["QuantizedEmbedding"] = "QuantizedEmbedding: positions is (3, 2); expected (2, 3).",
        ["QuantizedLinearCrossEntropy"] = "QuantizedLinearCrossEntropy: the vocabulary is 5; expected 1 to 4.",
        ["SumSquares"] = "SumSquares: sum is (2); expected (1).",
        ["Dot"] = "Dot: b is (5); expected (6).",
        ["AdamW"] = "AdamW: v is (5); expected (6).",
        ["MuonMomentum"] = "MuonMomentum: update is (5); expected (6).",
        ["MuonStep"] = "MuonStep: direction is (5); expected (6).",
        ["MuonStep dtype"] = "MuonStep: copy is F32; expected BF16.",
        ["Normalize"] = "Normalize: y is (5); expected (6).",
        ["NewtonSchulzFactor"] = "NewtonSchulzFactor: gram is (6, 5); expected (6, 6).",
        ["NewtonSchulzFactor square"] = "NewtonSchulzFactor: square is (5, 5); expected (6, 6).",
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public void WrongShape_IsNamed(string call)
    {
        var message = Assert.Throws<ArgumentException>(() => Call(call)).Message;
        Assert.Equal(Messages[call], message);
    }

    private void Call(string call)
    {
        TestTensor X(params ReadOnlySpan<int> sizes) => Output(new Shape(sizes));
        TestTensor I(params ReadOnlySpan<int> sizes) => Integers(new Shape(sizes), new int[new Shape(sizes).Count]);
        QuantizedMatrix Q(int n, int k) => QuantizedMatrix.Plan(new Arena(Backend, "test"), "weight", (n, k));
        switch (call)
        {
            case "MatMul": Backend.MatMul(X(8, 64), X(128, 32), null, X(8, 128)); break;
            case "MatMul y": Backend.MatMul(X(8, 64), X(128, 64), null, X(8, 127)); break;
            case "MatMulBackwardInput": Backend.MatMulBackwardInput(X(8, 128), X(128, 32), X(8, 64)); break;
            case "MatMulBackwardWeight": Backend.MatMulBackwardWeight(X(8, 128), X(8, 64), X(128, 64), X(127)); break;
            case "MatMulAdd": Backend.MatMulAdd(X(8, 64), X(128, 64), null, X(8, 64), X(8, 128)); break;
            case "MatMulGelu": Backend.MatMulGelu(X(8, 64), X(128, 64), null, X(8, 64), X(8, 128)); break;
            case "MatMulBackwardGelu": Backend.MatMulBackwardGelu(X(8, 128), X(128, 64), X(8, 128), X(8, 64)); break;
            case "MatMul strided": Backend.MatMul(X(8, 64).Slice(1, 0, 32), X(128, 32), null, X(8, 128)); break;
            case "Embedding": Backend.Embedding(I(2, 3), X(9, 5), I(2, 3), null, X(2, 3, 4)); break;
            case "Embedding dtype": Backend.Embedding(X(2, 3), X(9, 5), I(2, 3), null, X(2, 3, 5)); break;
            case "EmbeddingBackward": Backend.EmbeddingBackward(X(2, 3, 5), I(2, 3), X(9, 5), I(3, 2), null); break;
            case "LayerNorm": Backend.LayerNorm(X(6, 5), X(5), X(4), X(6, 5), X(6), X(6), 1e-5f); break;
            case "LayerNormBackward":
                Backend.LayerNormBackward(
                    X(6, 5), X(6, 5), X(5), X(6), X(6), X(6, 4), X(5), X(5)); break;
            case "RmsNorm": Backend.RmsNorm(X(6, 5), X(5), X(6, 5), X(5), 1e-5f); break;
            case "RmsNormBackward": Backend.RmsNormBackward(X(6, 5), X(6, 5), X(5), X(6), X(6, 5), X(4), false); break;
            case "Rope": Backend.Rope(X(1, 2, 3, 5), I(1, 2), X(9, 5), X(1, 2, 3, 5)); break;
            case "RopeBackward": Backend.RopeBackward(X(1, 2, 3, 6), I(1, 2), X(9, 4), X(1, 2, 3, 6)); break;
            case "Attention":
                Backend.Attention(
                    X(1, 4, 3, 8), X(1, 4, 2, 8), X(1, 4, 2, 8), X(1, 4, 3, 8), X(1, 3, 4)); break;
            case "Attention offsets":
                Backend.Attention(
                    X(1, 4, 2, 8), X(1, 3, 2, 8), X(1, 3, 2, 8), X(1, 4, 2, 8), X(1, 2, 4)); break;
            case "AttentionBackward":
                Backend.AttentionBackward(
                    X(1, 4, 4, 8), X(1, 4, 4, 8), X(1, 4, 2, 8), X(1, 4, 2, 8), X(1, 4, 4, 8), X(1, 4, 4),
                    X(1, 4, 4, 8), X(1, 4, 4, 8), X(1, 4, 2, 8));
                break;
            case "CacheWrite": Backend.CacheWrite(X(1, 4, 2, 7), I(1), X(1, 9, 2, 8)); break;
            case "Gelu": Backend.Gelu(X(6, 5), X(6, 4)); break;
            case "GeluBackward": Backend.GeluBackward(X(6, 4), X(6, 5), X(6, 5)); break;
            case "SwiGlu": Backend.SwiGlu(X(6, 10), X(6, 4)); break;
            case "SwiGluBackward": Backend.SwiGluBackward(X(6, 5), X(6, 10), X(6, 8)); break;
            case "Softmax": Backend.Softmax(X(6, 5), X(6, 4)); break;
            case "SoftmaxBackward": Backend.SoftmaxBackward(X(6, 5), X(6, 5), X(5, 5)); break;
            case "AddScaled": Backend.AddScaled(X(6, 5), 1, X(6, 4), true); break;
            case "Add": Backend.Add(X(6, 5), X(6, 4), X(6, 5)); break;
            case "Dropout": Backend.Dropout(X(6, 5), X(6, 4), 0.1f, State(), 0); break;
            case "Dropout probability": Backend.Dropout(X(6, 5), X(6, 5), 1, State(), 0); break;
            case "LinearCrossEntropy": Backend.LinearCrossEntropy(X(6, 5), X(8, 4), I(6), 7, X(6), X(6)); break;
            case "LinearCrossEntropyBackward":
                Backend.LinearCrossEntropyBackward(
                    X(6, 5), X(8, 5), I(6), 7, X(6), X(5), X(6, 5), X(8, 5)); break;
            case "Quantize": Backend.Quantize(new float[13], Q(4, 40)); break;
            case "QuantizedMatMul": Backend.QuantizedMatMul(X(8, 65), Q(4, 40), null, X(8, 4)); break;
            case "QuantizedMatMul y": Backend.QuantizedMatMul(X(8, 40), Q(4, 40), null, X(8, 5)); break;
            case "QuantizedEmbedding": Backend.QuantizedEmbedding(I(2, 3), Q(4, 40), I(3, 2), null, X(2, 3, 40)); break;
            case "QuantizedLinearCrossEntropy":
                Backend.QuantizedLinearCrossEntropy(
                    X(6, 40), Q(4, 40), I(6), 5, X(6), X(6)); break;
            case "SumSquares": Backend.SumSquares(X(6), X(2)); break;
            case "Dot": Backend.Dot(X(6), X(5), 1, X(1)); break;
            case "MuonMomentum": Backend.MuonMomentum(X(6), X(6), X(5), X(1), 0.95f, 1); break;
            case "MuonStep": Backend.MuonStep(X(6), X(5), X(1), State(), 1, 1, 0); break;
            case "MuonStep dtype": Backend.MuonStep(X(6), X(6), X(1), State(), 1, 1, 0, X(6)); break;
            case "Normalize": Backend.Normalize(X(6), X(1), X(5)); break;
            case "NewtonSchulzFactor": Backend.NewtonSchulzFactor(X(6, 5), X(6, 6), X(6, 6), default); break;
            case "NewtonSchulzFactor square": Backend.NewtonSchulzFactor(X(6, 6), X(5, 5), X(6, 6), default); break;
            case "AdamW": Backend.AdamW(X(6), X(6), X(6), X(5), X(1), State(), default); break;
        }
    }
}
