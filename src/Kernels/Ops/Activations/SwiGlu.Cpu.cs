namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void SwiGluCore(Tensor gateUp, Tensor y)
    {
        int rows = y.Shape.Rows, f = y.Shape[-1];
        pool.Run(new SwiGluKernel(Pointer(gateUp), Pointer(y), rows, f), Items(rows, RowsPerItem(f)));
    }

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        int rows = dy.Shape.Rows, f = dy.Shape[-1];
        pool.Run(new SwiGluBackwardKernel(Pointer(dy), Pointer(gateUp), Pointer(dGateUp), rows, f),
            Items(rows, RowsPerItem(f)));
    }

    private readonly struct SwiGluKernel(float* gateUp, float* y, int rows, int f) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, f);
            for (long row = first; row < end; row++)
            {
                float* gate = gateUp + row * 2 * f, up = gate + f, result = y + row * f;
                for (int i = 0; i < f; i += V.Width)
                {
                    V g = V.Load(gate + i, f - i);
                    V.Store(result + i, g * VectorMath.Sigmoid(g) * V.Load(up + i, f - i), f - i);
                }
            }
        }
    }

    private readonly struct SwiGluBackwardKernel(float* dy, float* gateUp, float* dGateUp, int rows, int f) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, f);
            V one = V.Create(1f);
            for (long row = first; row < end; row++)
            {
                float* gate = gateUp + row * 2 * f, up = gate + f, dGate = dGateUp + row * 2 * f, dUp = dGate + f,
                    dResult = dy + row * f;
                for (int i = 0; i < f; i += V.Width)
                {
                    int left = f - i;
                    V g = V.Load(gate + i, left), d = V.Load(dResult + i, left), s = VectorMath.Sigmoid(g);
                    V.Store(dUp + i, d * g * s, left);
                    V.Store(dGate + i, d * V.Load(up + i, left) * s * V.MultiplyAdd(g, one - s, one), left);
                }
            }
        }
    }
}
