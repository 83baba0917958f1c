using TinyLlm.Tests.Kernels.Gpu;
using TinyLlm.Tests.Kernels.Ops;
using TinyLlm.Tests.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tests.Training;
using TinyLlm.Tests.Training.Optimizers;

namespace TinyLlm.DeviceTests;

// Every op test, and the whole model, on a OpenCL device.

public sealed class GpuOpsTestsOnOpenCl() : GpuOpsTests<OpenCl>(OpSizes.Large);
public sealed class GpuTrainingTestsOnOpenCl()
    : GpuTrainingTests<OpenCl>(layers: 2, width: 64, context: 48, batchSize: 4);
public sealed class GptReferenceTestsOnOpenCl : GptReferenceTests<OpenCl>;
public sealed class MatMulTestsOnOpenCl : MatMulTests<OpenCl>;
public sealed class FusedMatMulTestsOnOpenCl : FusedMatMulTests<OpenCl>;
public sealed class LayerNormTestsOnOpenCl : LayerNormTests<OpenCl>;
public sealed class RmsNormTestsOnOpenCl : RmsNormTests<OpenCl>;
public sealed class RopeTestsOnOpenCl : RopeTests<OpenCl>;
public sealed class GeluTestsOnOpenCl : GeluTests<OpenCl>;
public sealed class SwiGluTestsOnOpenCl : SwiGluTests<OpenCl>;
public sealed class AddTestsOnOpenCl : AddTests<OpenCl>;
public sealed class AddScaledTestsOnOpenCl : AddScaledTests<OpenCl>;
public sealed class FillTestsOnOpenCl : FillTests<OpenCl>;
public sealed class DotTestsOnOpenCl : DotTests<OpenCl>;
public sealed class SumSquaresTestsOnOpenCl : SumSquaresTests<OpenCl>;
public sealed class EmbeddingTestsOnOpenCl : EmbeddingTests<OpenCl>;
public sealed class CacheWriteTestsOnOpenCl : CacheWriteTests<OpenCl>;
public sealed class AttentionTestsOnOpenCl : AttentionTests<OpenCl>;
public sealed class LinearCrossEntropyTestsOnOpenCl : LinearCrossEntropyTests<OpenCl>;
public sealed class DropoutTestsOnOpenCl : DropoutTests<OpenCl>;
public sealed class AdamWTestsOnOpenCl : AdamWTests<OpenCl>;
public sealed class MuonTestsOnOpenCl : MuonTests<OpenCl>;
public sealed class MuonCopyTestsOnOpenCl : MuonCopyTests<OpenCl>;
public sealed class NewtonSchulzTestsOnOpenCl : NewtonSchulzTests<OpenCl>;
public sealed class OrthogonalizationTestsOnOpenCl : OrthogonalizationTests<OpenCl>;
public sealed class MuonStepTestsOnOpenCl : MuonStepTests<OpenCl>;
public sealed class SoftmaxTestsOnOpenCl : SoftmaxTests<OpenCl>;
