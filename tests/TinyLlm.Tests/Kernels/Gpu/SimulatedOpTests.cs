using TinyLlm.Tests.Kernels.Ops;
using TinyLlm.Tests.Support;

namespace TinyLlm.Tests.Kernels.Gpu;

// The op tests on ILGPU's simulator: those whose sizes it can do in seconds. GpuOpsTests.cs runs every op on tiny ones.

public sealed class AddTestsOnSimulated : AddTests<Simulated>;
public sealed class AddScaledTestsOnSimulated : AddScaledTests<Simulated>;
public sealed class FillTestsOnSimulated : FillTests<Simulated>;
public sealed class GeluTestsOnSimulated : GeluTests<Simulated>;
public sealed class AdamWTestsOnSimulated : AdamWTests<Simulated>;
public sealed class MuonTestsOnSimulated : MuonTests<Simulated>;
public sealed class MuonCopyTestsOnSimulated : MuonCopyTests<Simulated>;
public sealed class NewtonSchulzTestsOnSimulated : NewtonSchulzTests<Simulated>;
public sealed class DotTestsOnSimulated : DotTests<Simulated>;
public sealed class SumSquaresTestsOnSimulated : SumSquaresTests<Simulated>;
public sealed class AdamWCopyTestsOnSimulated : AdamWCopyTests<Simulated>;
public sealed class SwiGluTestsOnSimulated : SwiGluTests<Simulated>;
public sealed class CacheWriteTestsOnSimulated : CacheWriteTests<Simulated>;
public sealed class RopeTestsOnSimulated : RopeTests<Simulated>;
public sealed class DropoutTestsOnSimulated : DropoutTests<Simulated>;
public sealed class BFloat16RowTestsOnSimulated : BFloat16RowTests<Simulated>;
public sealed class NormKernelTestsOnSimulated : NormKernelTests<Simulated>;
public sealed class MatMulKernelTestsOnSimulated : MatMulKernelTests<Simulated>;
public sealed class FusedMatMulTestsOnSimulated : FusedMatMulTests<Simulated>;
public sealed class LinearCrossEntropyKernelTestsOnSimulated : LinearCrossEntropyKernelTests<Simulated>;
public sealed class LinearCrossEntropyKernelTestsOnSimulatedInChunks : LinearCrossEntropyKernelTests<SimulatedInChunks>;
public sealed class EmbeddingKernelTestsOnSimulated : EmbeddingKernelTests<Simulated>;
public sealed class SoftmaxTestsOnSimulated : SoftmaxTests<Simulated>;
public sealed class AttentionKernelTestsOnSimulated : AttentionKernelTests<Simulated>;
public sealed class CopyTestsOnSimulated : CopyTests<Simulated>;
