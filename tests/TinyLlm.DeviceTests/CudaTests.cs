using TinyLlm.Tests.Kernels.Gpu;
using TinyLlm.Tests.Kernels.Ops;
using TinyLlm.Tests.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tests.Training;
using TinyLlm.Tests.Training.Optimizers;

namespace TinyLlm.DeviceTests;

// Every op test, and the whole model, on a CUDA device.

public sealed class GpuOpsTestsOnCuda() : GpuOpsTests<Cuda>(OpSizes.Large);
public sealed class GpuTrainingTestsOnCuda() : GpuTrainingTests<Cuda>(layers: 2, width: 64, context: 48, batchSize: 4);
public sealed class GptReferenceTestsOnCuda : GptReferenceTests<Cuda>;
public sealed class MatMulTestsOnCuda : MatMulTests<Cuda>;
public sealed class FusedMatMulTestsOnCuda : FusedMatMulTests<Cuda>;
public sealed class LayerNormTestsOnCuda : LayerNormTests<Cuda>;
public sealed class RmsNormTestsOnCuda : RmsNormTests<Cuda>;
public sealed class RopeTestsOnCuda : RopeTests<Cuda>;
public sealed class GeluTestsOnCuda : GeluTests<Cuda>;
public sealed class SwiGluTestsOnCuda : SwiGluTests<Cuda>;
public sealed class AddTestsOnCuda : AddTests<Cuda>;
public sealed class AddScaledTestsOnCuda : AddScaledTests<Cuda>;
public sealed class FillTestsOnCuda : FillTests<Cuda>;
public sealed class DotTestsOnCuda : DotTests<Cuda>;
public sealed class SumSquaresTestsOnCuda : SumSquaresTests<Cuda>;
public sealed class EmbeddingTestsOnCuda : EmbeddingTests<Cuda>;
public sealed class CacheWriteTestsOnCuda : CacheWriteTests<Cuda>;
public sealed class AttentionTestsOnCuda : AttentionTests<Cuda>;
public sealed class LinearCrossEntropyTestsOnCuda : LinearCrossEntropyTests<Cuda>;
public sealed class DropoutTestsOnCuda : DropoutTests<Cuda>;
public sealed class AdamWTestsOnCuda : AdamWTests<Cuda>;
public sealed class MuonTestsOnCuda : MuonTests<Cuda>;
public sealed class MuonCopyTestsOnCuda : MuonCopyTests<Cuda>;
public sealed class NewtonSchulzTestsOnCuda : NewtonSchulzTests<Cuda>;
public sealed class OrthogonalizationTestsOnCuda : OrthogonalizationTests<Cuda>;
public sealed class MuonStepTestsOnCuda : MuonStepTests<Cuda>;
public sealed class SoftmaxTestsOnCuda : SoftmaxTests<Cuda>;
