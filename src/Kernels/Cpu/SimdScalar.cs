namespace TinyLlm.Kernels.Cpu;

/// <summary>One float: hardware without vectors, and the plain twin that the tests hold the others against.</summary>
internal readonly unsafe struct SimdScalar(float value) : ISimd<SimdScalar>
{
    private readonly float value = value;

    public static int Width => 1;

    public static SimdScalar Zero => new(0);

    public static SimdScalar Create(float value) => new(value);

    public static SimdScalar Load(float* p) => new(*p);

    public static SimdScalar Load(float* p, int count) => new(*p);

    public static void Store(float* p, SimdScalar value) => *p = value.value;

    public static void Store(float* p, SimdScalar value, int count) => *p = value.value;

    public static SimdScalar operator +(SimdScalar a, SimdScalar b) => new(a.value + b.value);

    public static SimdScalar operator -(SimdScalar a, SimdScalar b) => new(a.value - b.value);

    public static SimdScalar operator *(SimdScalar a, SimdScalar b) => new(a.value * b.value);

    public static SimdScalar operator /(SimdScalar a, SimdScalar b) => new(a.value / b.value);

    public static SimdScalar MultiplyAdd(SimdScalar a, SimdScalar b, SimdScalar c) =>
        new(float.MultiplyAddEstimate(a.value, b.value, c.value));

    public static SimdScalar Max(SimdScalar a, SimdScalar b) => new(float.MaxNative(a.value, b.value));

    public static SimdScalar Min(SimdScalar a, SimdScalar b) => new(float.MinNative(a.value, b.value));

    public static SimdScalar Sqrt(SimdScalar a) => new(MathF.Sqrt(a.value));

    public static SimdScalar Round(SimdScalar a) => new(MathF.Round(a.value));

    public static SimdScalar PowerOfTwo(SimdScalar n) =>
        new(BitConverter.Int32BitsToSingle(((int)n.value + 127) << 23));

    public static float Sum(SimdScalar a) => a.value;

    public static void SumEach(SimdScalar a, SimdScalar b, SimdScalar c, SimdScalar d, float* sums)
    {
        (sums[0], sums[1]) = (a.value, b.value);
        (sums[2], sums[3]) = (c.value, d.value);
    }

    public static SimdScalar DotOf64(sbyte* a, short* b)
    {
        int sum = 0;
        for (int i = 0; i < 64; i++)
            sum += a[i] * b[i];
        return new(sum);
    }

    public static float MaxAcross(SimdScalar a) => a.value;

    public static void Transpose(float* source, long sourceStride, float* destination, long destinationStride) =>
        *destination = *source;
}
