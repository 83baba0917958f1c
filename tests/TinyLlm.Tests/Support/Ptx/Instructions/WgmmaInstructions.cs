using System.Runtime.Intrinsics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>wgmma: matrix products of four warps with operands in shared memory.</summary>
internal static unsafe class WgmmaInstructions
{
    private const int Rows = 16;
    private const int MaxN = 256;
    private const int MaxK = 16;

    private const int TransposedA = 1;
    private const int TransposedB = 2;
    private const int NegatedA = 4;
    private const int NegatedB = 8;

    public static bool Decode(PtxDecoder d)
    {
        if (d.Name == "setmaxnreg")
            return EmitRegisterCount(d);
        if (d.Name != "wgmma")
            return false;
        if (d.Take("mma_async"))
            return d.Take("sync") && d.Take("aligned") && EmitProduct(d);
        string? step = d.TakeAny("fence", "commit_group", "wait_group");
        PtxInstruction i =
            d.NewCollective(step switch { "fence" => &Fence, "commit_group" => &Commit, _ => &Wait }, aligned: true);
        i.NeedsWarp = true;
        if (step == "wait_group")
            i.Immediate = d.Operand(0).Integer;
        d.Emit(i);
        return step is not null && d.Take("sync") && d.Take("aligned");
    }

    private static bool EmitRegisterCount(PtxDecoder d)
    {
        long count = d.Operand(0).Integer;
        if (d.TakeAny("inc", "dec") is null || !d.Take("sync") || !d.Take("aligned") || d.TakeType() != PtxType.U32
            || count is < 24 or > 256 || count % 8 != 0)
            return false;
        PtxInstruction i = d.NewCollective(&Nothing, aligned: true);
        i.NeedsWarp = true;
        d.Emit(i);
        return true;
    }

    private static void Nothing(PtxWarp warp, PtxInstruction* i, uint members) => warp.Resume(members);

    private static void Fence(PtxWarp warp, PtxInstruction* i, uint members)
    {
        warp.Matrices.Fence();
        warp.Resume(members);
    }

    private static void Commit(PtxWarp warp, PtxInstruction* i, uint members)
    {
        warp.Matrices.Commit();
        warp.Resume(members);
    }

    private static void Wait(PtxWarp warp, PtxInstruction* i, uint members)
    {
        warp.Matrices.Wait((int)i->Immediate);
        warp.Resume(members);
    }

    /// <summary>
    /// {d}, a or its descriptor, b's descriptor, scale-d, scale-a, scale-b {, trans-a} {, trans-b}: Immediate holds the
    /// flags, Bytes N, SourceOffset the registers of a.
    /// </summary>
    private static bool EmitProduct(PtxDecoder d)
    {
        string? shape = d.TakeMatching(p => p.StartsWith("m64n", StringComparison.Ordinal));
        PtxType result = d.TakeType(), a = d.TakeType(), b = d.TakeType();
        int k = a == PtxType.TF32 ? 8 : 16, n = 0;
        bool known = shape is not null && shape.EndsWith($"k{k}", StringComparison.Ordinal)
            && int.TryParse(shape.AsSpan(4, shape.IndexOf('k') - 4), out n);
        if (!known || n is < 8 or > MaxN || n % 8 != 0 || a != b || result is not (PtxType.F32 or PtxType.F16)
            || (result == PtxType.F16 && a != PtxType.F16))
            return false;
        if (a is not (PtxType.BF16 or PtxType.F16 or PtxType.TF32))
            return false;
        PtxInstruction i = d.NewCollective(&Issue, aligned: true);
        i.NeedsWarp = true;
        i.Bytes = n;
        i.Type = a;
        bool fromRegisters = d.Operand(1).Kind == PtxOperandKind.Vector;
        var results = d.Vector(0, PtxType.B32, destination: true);
        var sources = fromRegisters ? d.Vector(1, PtxType.B32, destination: false) : [];
        d.SetOperands(ref i, [.. results, .. sources]);
        i.SourceOffset = sources.Count;
        if (!fromRegisters)
            i.A = d.Slot(1, PtxType.B64);
        i.B = d.Slot(2, PtxType.B64);
        i.C = d.Slot(3, PtxType.Pred);
        int flags = (d.Operand(4).Integer == -1 ? NegatedA : 0) | (d.Operand(5).Integer == -1 ? NegatedB : 0);
        int transposes = a == PtxType.TF32 ? 0 : fromRegisters ? 1 : 2;
        if (transposes == 2)
            flags |= d.Operand(6).Integer == 1 ? TransposedA : 0;
        if (transposes > 0)
            flags |= d.Operand(5 + transposes).Integer == 1 ? TransposedB : 0;
        i.Immediate = flags;
        d.Emit(i);
        return results.Count == (result == PtxType.F32 ? n / 2 : n / 4) && sources.Count is 0 or 4
            && d.OperandCount == 6 + transposes;
    }

    private static void Issue(PtxWarp warp, PtxInstruction* i, uint members)
    {
        ulong* first = warp.Lanes[0].Registers;
        bool fromRegisters = i->SourceOffset != 0;
        foreach (PtxThread thread in warp.Lanes)
        {
            if ((!fromRegisters && thread.Registers[i->A] != first[i->A]) || thread.Registers[i->B] != first[i->B]
                || thread.Registers[i->C] != first[i->C])
                throw thread.Fault(i, "the lanes of the warp have different descriptors or scales");
        }
        warp.Matrices.Issue(i, fromRegisters ? 0 : first[i->A], first[i->B], first[i->C] == 1);
        warp.Resume(members);
    }

    private static int ElementsPerChunk(PtxInstruction* i) => i->Type == PtxType.TF32 ? 4 : 8;

    /// <summary>Calls for all pieces of 16 bytes of shared memory that a warp's share of a product reads.</summary>
    internal static void ForEachChunk(
        PtxInstruction* i, WgmmaQueue.Product product, int warpInGroup, Action<int, int> action)
    {
        int elements = ElementsPerChunk(i), k = 2 * elements;
        if (i->SourceOffset == 0)
        {
            ForEachChunk(
                new MatrixDescriptor(product.A), Rows * warpInGroup, Rows, k, (i->Immediate & TransposedA) != 0,
                elements, action);
        }

        ForEachChunk(
            new MatrixDescriptor(product.B), 0, i->Bytes, k, (i->Immediate & TransposedB) != 0, elements, action);
    }

    private static void ForEachChunk(
        MatrixDescriptor descriptor, int first, int count, int K, bool isMnMajor, int elements, Action<int, int> action)
    {
        for (int mn = first; mn < first + count; mn += isMnMajor ? elements : 1)
        {
            for (int k = 0; k < K; k += isMnMajor ? 1 : elements)
                action(descriptor.Chunk(mn, k, isMnMajor, elements), 16);
        }
    }

    internal static void Perform(PtxWarp warp, WgmmaQueue.Product product)
    {
        var i = (PtxInstruction*)product.Instruction;
        switch (i->Type)
        {
            case PtxType.BF16:
                Perform<MatrixInstructions.HalfElements<BFloat>>(warp, i, product);
                break;
            case PtxType.F16:
                Perform<MatrixInstructions.HalfElements<Binary16>>(warp, i, product);
                break;
            default:
                Perform<MatrixInstructions.Tf32Elements>(warp, i, product);
                break;
        }
    }

    private static void Perform<TElements>(PtxWarp warp, PtxInstruction* i, WgmmaQueue.Product product)
        where TElements : MatrixInstructions.IElements
    {
        int N = i->Bytes, K = 8 * TElements.PerRegister, sources = (int)i->SourceOffset,
            results = i->OperandCount - sources;
        float* a = stackalloc float[Rows * MaxK], b = stackalloc float[MaxK * MaxN], d = stackalloc float[Rows * MaxN];
        if (sources == 0)
        {
            Gather<TElements>(
                warp, new MatrixDescriptor(product.A), Rows * (warp.Index % 4), Rows, (i->Immediate & TransposedA) != 0,
                a, K, 1);
        }

        for (int lane = 0; lane < PtxWarp.Size && sources > 0; lane++)
            MatrixInstructions.LoadA<TElements>(warp.Lanes[lane].Registers, i->Operands + results, sources, lane, a, K);
        Gather<TElements>(warp, new MatrixDescriptor(product.B), 0, N, (i->Immediate & TransposedB) != 0, b, 1, N);

        bool negative = ((i->Immediate & NegatedA) != 0) != ((i->Immediate & NegatedB) != 0);
        bool halves = results == N / 4;
        new Span<float>(d, Rows * N).Clear();
        if (product.Accumulates)
            Exchange(warp, i->Operands, N, halves, d, store: false);
        for (int row = 0; row < Rows; row++)
        {
            for (int k = 0; k < K; k++)
            {
                var factor = Vector256.Create(negative ? -a[row * K + k] : a[row * K + k]);
                for (int n = 0; n < N; n += 8)
                    (Vector256.Load(d + row * N + n) + factor * Vector256.Load(b + k * N + n)).Store(d + row * N + n);
            }
        }
        Exchange(warp, i->Operands, N, halves, d, store: true);
    }

    /// <summary>Elements (first + n, k) of a matrix in shared memory, to n * mnStep + k * kStep.</summary>
    private static void Gather<TElements>(
        PtxWarp warp, MatrixDescriptor descriptor, int first, int count, bool isMnMajor, float* to, int mnStep,
        int kStep)
        where TElements : MatrixInstructions.IElements
    {
        int perRegister = TElements.PerRegister, elements = 4 * perRegister, K = 2 * elements;
        for (int mn = 0; mn < count; mn += isMnMajor ? elements : 1)
        {
            for (int k = 0; k < K; k += isMnMajor ? 1 : elements)
            {
                var chunk = (uint*)(warp.Block.Shared + descriptor.Chunk(first + mn, k, isMnMajor, elements));
                for (int e = 0; e < elements; e++)
                {
                    to[mn * mnStep + k * kStep + e * (isMnMajor ? mnStep : kStep)] =
                        TElements.Element(chunk[e / perRegister], e % perRegister);
                }
            }
        }
    }

    /// <summary>
    /// D from or to registers: with g = lane / 4 and t = lane % 4, element n is in row g + 8 (n / 2 % 2), column 8 (n /
    /// 4) + 2 t + n % 2; two to a register if they are halves.
    /// </summary>
    private static void Exchange(PtxWarp warp, int* slots, int N, bool halves, float* d, bool store)
    {
        for (int lane = 0; lane < PtxWarp.Size; lane++)
        {
            ulong* r = warp.Lanes[lane].Registers;
            for (int n = 0; n < N / 2; n++)
            {
                float* place = d + (lane / 4 + n / 2 % 2 * 8) * N + n / 4 * 8 + lane % 4 * 2 + n % 2;
                ulong* register = r + slots[halves ? n / 2 : n];
                int shift = halves ? 16 * (n % 2) : 0;
                if (!store)
                    *place = halves ? Binary16.ToFloat((ushort)(*register >> shift)) : *(float*)register;
                else if (!halves)
                    *register = BitConverter.SingleToUInt32Bits(*place);
                else
                    *register = (*register & ~(0xFFFFul << shift)) | (ulong)Binary16.Round(*place) << shift;
            }
        }
    }
}
