using System.Runtime.Intrinsics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Matrix fragments of a warp: ldmatrix, stmatrix, mma.sync. In what follows g is lane / 4 and t is lane % 4.
/// </summary>
internal static unsafe class MatrixInstructions
{
    public static bool Decode(PtxDecoder d) => d.Name switch
    {
        "ldmatrix" or "stmatrix" => EmitTransfer(d),
        "mma" => EmitMultiply(d),
        _ => false,
    };

    private static bool EmitTransfer(PtxDecoder d)
    {
        bool loads = d.Name == "ldmatrix", transposed = d.Take("trans");
        int count = d.TakeAny("x1", "x2", "x4") switch { "x1" => 1, "x2" => 2, "x4" => 4, _ => 0 };
        if (!d.Take("sync") || !d.Take("aligned") || !d.Take("m8n8") || count == 0 || d.TakeType() != PtxType.B16)
            return false;
        bool generic = d.TakeAny("shared", "shared::cta") is null;
        PtxInstruction i = d.NewCollective((loads, transposed) switch
        {
            (true, false) => &Load<Straight>,
            (true, true) => &Load<Transposed>,
            (false, false) => &Store<Straight>,
            _ => &Store<Transposed>,
        }, aligned: true);
        i.NeedsWarp = true;
        d.SetAddress(ref i, loads ? 1 : 0);
        var registers = d.Vector(loads ? 0 : 1, PtxType.B32, loads);
        d.SetOperands(ref i, registers);
        i.SourceOffset = generic ? unchecked((long)(0 - PtxMemory.SharedWindow)) : 0;
        d.Emit(i);
        return registers.Count == count;
    }

    /// <summary>Where the two elements of a lane lie in an 8 x 8 matrix whose rows are in shared memory.</summary>
    private interface IPlacement
    {
        static abstract (int Row, int Column) Element(int lane, int n);
    }

    private readonly struct Straight : IPlacement
    {
        public static (int, int) Element(int lane, int n) => (lane / 4, lane % 4 * 2 + n);
    }

    private readonly struct Transposed : IPlacement
    {
        public static (int, int) Element(int lane, int n) => (lane % 4 * 2 + n, lane / 4);
    }

    /// <summary>Lane 8 m + j holds the address of row j of matrix m.</summary>
    private static ushort* Row(PtxWarp warp, PtxInstruction* i, int matrix, int row, PtxAccess access)
    {
        PtxThread thread = warp.Lanes[8 * matrix + row];
        return (ushort*)thread.Shared(
            MemoryInstructions.Address(thread.Registers, i) + (ulong)i->SourceOffset, 16, access, i);
    }

    private static void Load<TPlacement>(PtxWarp warp, PtxInstruction* i, uint members) where TPlacement : IPlacement
    {
        // All rows are read before any register is written: a destination may be the address register.
        var rows = stackalloc ushort*[32];
        for (int row = 0; row < 8 * i->OperandCount; row++)
            rows[row] = Row(warp, i, row / 8, row % 8, PtxAccess.Read);
        for (int lane = 0; lane < PtxWarp.Size; lane++)
        {
            var low = TPlacement.Element(lane, 0);
            var high = TPlacement.Element(lane, 1);
            ulong* r = warp.Lanes[lane].Registers;
            for (int matrix = 0; matrix < i->OperandCount; matrix++)
            {
                r[i->Operands[matrix]] = rows[8 * matrix + low.Row][low.Column]
                    | (uint)rows[8 * matrix + high.Row][high.Column] << 16;
            }
        }
        warp.Resume(members);
    }

    private static void Store<TPlacement>(PtxWarp warp, PtxInstruction* i, uint members) where TPlacement : IPlacement
    {
        var rows = stackalloc ushort*[32];
        for (int row = 0; row < 8 * i->OperandCount; row++)
            rows[row] = Row(warp, i, row / 8, row % 8, PtxAccess.Write);
        for (int lane = 0; lane < PtxWarp.Size; lane++)
        {
            var low = TPlacement.Element(lane, 0);
            var high = TPlacement.Element(lane, 1);
            for (int matrix = 0; matrix < i->OperandCount; matrix++)
            {
                var value = (uint)warp.Lanes[lane].Registers[i->Operands[matrix]];
                rows[8 * matrix + low.Row][low.Column] = (ushort)value;
                rows[8 * matrix + high.Row][high.Column] = (ushort)(value >> 16);
            }
        }
        warp.Resume(members);
    }

    private static bool EmitMultiply(PtxDecoder d)
    {
        string? shape = d.TakeAny("m16n8k16", "m16n8k8", "m16n8k4");
        if (!d.Take("sync") || !d.Take("aligned") || !d.Take("row") || !d.Take("col") || shape is null)
            return false;
        PtxType result = d.TakeType(), a = d.TakeType(), b = d.TakeType(), c = d.TakeType();
        int k = int.Parse(shape["m16n8k".Length..]);
        bool tf32 = a == PtxType.TF32;
        if (a != b || c != result || k == (tf32 ? 16 : 4))
            return false;
        PtxInstruction i = d.NewCollective((result, a) switch
        {
            (PtxType.F32, PtxType.BF16) => &Multiply<HalfElements<BFloat>, SingleResult>,
            (PtxType.F32, PtxType.F16) => &Multiply<HalfElements<Binary16>, SingleResult>,
            (PtxType.F16, PtxType.F16) => &Multiply<HalfElements<Binary16>, HalfResult>,
            (PtxType.F32, PtxType.TF32) => &Multiply<Tf32Elements, SingleResult>,
            _ => null,
        }, aligned: true);
        i.NeedsWarp = true;
        i.Immediate = k;
        PtxType sources = result == PtxType.F32 ? PtxType.F32 : PtxType.B32;
        List<int>[] operands = [d.Vector(0, PtxType.B32, true), d.Vector(1, PtxType.B32, false),
            d.Vector(2, PtxType.B32, false), d.Vector(3, sources, false)];
        d.SetOperands(ref i, [.. operands.SelectMany(o => o)]);
        d.Emit(i);
        int accumulators = result == PtxType.F32 ? 4 : 2, perRegister = tf32 ? 1 : 2;
        return i.Collective != null
            && operands.Select(o => o.Count)
                .SequenceEqual([accumulators, k / perRegister / 2, k / perRegister / 4, accumulators]);
    }

    /// <summary>What a register holds of a row of A or a column of B.</summary>
    internal interface IElements
    {
        static abstract int PerRegister { get; }

        static abstract float Element(uint register, int n);
    }

    internal readonly struct HalfElements<TFormat> : IElements where TFormat : IHalfFormat
    {
        public static int PerRegister => 2;

        public static float Element(uint register, int n) => TFormat.ToFloat((ushort)(register >> (16 * n)));
    }

    /// <summary>Single precision of which the lower 13 bits do not count.</summary>
    internal readonly struct Tf32Elements : IElements
    {
        public static int PerRegister => 1;

        public static float Element(uint register, int n) => BitConverter.UInt32BitsToSingle(register & 0xFFFFE000);
    }

    /// <summary>
    /// How a lane holds its four elements of C and D: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
    /// </summary>
    private interface IResult
    {
        static abstract int Registers { get; }

        static abstract void Load(ulong* r, int* slots, float* four);

        static abstract void Store(ulong* r, int* slots, float* four);
    }

    private readonly struct SingleResult : IResult
    {
        public static int Registers => 4;

        public static void Load(ulong* r, int* slots, float* four)
        {
            for (int n = 0; n < 4; n++)
                four[n] = Slots.Read<float>(r, slots[n]);
        }

        public static void Store(ulong* r, int* slots, float* four)
        {
            for (int n = 0; n < 4; n++)
                Slots.Write(r, slots[n], four[n]);
        }
    }

    private readonly struct HalfResult : IResult
    {
        public static int Registers => 2;

        public static void Load(ulong* r, int* slots, float* four)
        {
            for (int n = 0; n < 4; n++)
                four[n] = Binary16.ToFloat((ushort)(r[slots[n / 2]] >> (16 * (n % 2))));
        }

        public static void Store(ulong* r, int* slots, float* four)
        {
            for (int n = 0; n < 2; n++)
                r[slots[n]] = Binary16.Round(four[2 * n]) | (uint)Binary16.Round(four[2 * n + 1]) << 16;
        }
    }

    /// <summary>D = A B + C with A (16, K), B (K, 8), C and D (16, 8).</summary>
    private static void Multiply<TElements, TResult>(PtxWarp warp, PtxInstruction* i, uint members)
        where TElements : IElements where TResult : IResult
    {
        int K = (int)i->Immediate;
        float* a = stackalloc float[16 * 16], b = stackalloc float[16 * 8], c = stackalloc float[16 * 8],
            four = stackalloc float[4];
        int aRegisters = K / TElements.PerRegister / 2, bRegisters = aRegisters / 2;
        int* dSlots = i->Operands, aSlots = dSlots + TResult.Registers, bSlots = aSlots + aRegisters,
            cSlots = bSlots + bRegisters;
        for (int lane = 0; lane < PtxWarp.Size; lane++)
        {
            ulong* r = warp.Lanes[lane].Registers;
            LoadA<TElements>(r, aSlots, aRegisters, lane, a, K);
            LoadB<TElements>(r, bSlots, bRegisters, lane, b);
            TResult.Load(r, cSlots, four);
            for (int n = 0; n < 4; n++)
                c[(lane / 4 + n / 2 * 8) * 8 + lane % 4 * 2 + n % 2] = four[n];
        }
        for (int row = 0; row < 16; row++)
        {
            var sum = Vector256.Load(c + row * 8);
            for (int k = 0; k < K; k++)
                sum += Vector256.Create(a[row * K + k]) * Vector256.Load(b + k * 8);
            sum.Store(c + row * 8);
        }
        for (int lane = 0; lane < PtxWarp.Size; lane++)
        {
            for (int n = 0; n < 4; n++)
                four[n] = c[(lane / 4 + n / 2 * 8) * 8 + lane % 4 * 2 + n % 2];
            TResult.Store(warp.Lanes[lane].Registers, dSlots, four);
        }
        warp.Resume(members);
    }

    /// <summary>Register n of A, with e elements: row g + 8 (n % 2), columns from e t + 4 e (n / 2) on.</summary>
    internal static void LoadA<TElements>(ulong* r, int* slots, int registers, int lane, float* a, int K)
        where TElements : IElements
    {
        int e = TElements.PerRegister;
        for (int n = 0; n < registers; n++)
        {
            float* to = a + (lane / 4 + n % 2 * 8) * K + e * (lane % 4) + 4 * e * (n / 2);
            for (int element = 0; element < e; element++)
                to[element] = TElements.Element((uint)r[slots[n]], element);
        }
    }

    /// <summary>Register n of B, with e elements: rows from e t + 4 e n on, column g.</summary>
    private static void LoadB<TElements>(ulong* r, int* slots, int registers, int lane, float* b)
        where TElements : IElements
    {
        int e = TElements.PerRegister;
        for (int n = 0; n < registers; n++)
        {
            for (int element = 0; element < e; element++)
            {
                b[(e * (lane % 4) + 4 * e * n + element) * 8 + lane / 4] =
                    TElements.Element((uint)r[slots[n]], element);
            }
        }
    }
}
