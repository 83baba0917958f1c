namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Turns a function's statements into instructions. The groups of instructions ask it for the parts of a statement's
/// name and for its operands; a part that none asks for makes the statement unknown.
/// </summary>
internal sealed unsafe class PtxDecoder
{
    private static readonly Func<PtxDecoder, bool>[] Groups =
    [
        ArithmeticInstructions.Decode, BitInstructions.Decode, FloatInstructions.Decode, CompareInstructions.Decode,
            MoveInstructions.Decode, ConvertInstructions.Decode,
        MemoryInstructions.Decode, AtomicInstructions.Decode, ControlInstructions.Decode, BarrierInstructions.Decode,
        WarpInstructions.Decode, CopyInstructions.Decode,
        MatrixInstructions.Decode, MbarrierInstructions.Decode, WgmmaInstructions.Decode,
    ];

    private readonly PtxModule module;
    private readonly PtxFunction function;
    private readonly List<PtxInstruction> instructions = [];
    private readonly List<PtxStatement> sources = [];
    private readonly List<ulong> constants = [];
    private readonly Dictionary<ulong, int> constantSlots = [];
    private readonly Dictionary<string, int> specialSlots = [];
    private readonly List<(string Name, Func<PtxThread, ulong> Value)> specials = [];
    private readonly List<string> parts = [];
    private PtxStatement statement = null!;

    private PtxDecoder(PtxModule module, PtxFunction function)
    {
        this.module = module;
        this.function = function;
    }

    /// <summary>The first word of the name: add, ld, mma.</summary>
    public string Name => statement.Parts[0];

    public int OperandCount => statement.Operands.Count;

    public PtxModule Module => module;

    public PtxFunction Function => function;

    /// <summary>A slot for results that nobody wants.</summary>
    public int Sink { get; private set; }

    public static void Decode(PtxModule module, PtxFunction function) => new PtxDecoder(module, function).Decode();

    private void Decode()
    {
        // Declared registers, the sink, constants, special registers: the numbers of the last two are known at the end,
        // so they are negative until then.
        Sink = function.Slots++;
        function.FirstConstant = function.Slots;
        var starts = new int[function.Statements.Count + 1];
        for (int s = 0; s < function.Statements.Count; s++)
        {
            starts[s] = instructions.Count;
            statement = function.Statements[s];
            DecodeStatement();
        }
        starts[^1] = instructions.Count;
        statement = new PtxStatement(null, false, ["ret"], [], new PtxScope(null), "the end of the function");
        DecodeStatement();

        for (int i = 0; i < instructions.Count; i++)
            instructions[i] = Resolve(instructions[i], starts);
        function.Constants = [.. constants];
        for (int i = 0; i < specials.Count; i++)
            function.Specials.Add((function.FirstConstant + constants.Count + i, specials[i].Value));
        function.Slots = function.FirstConstant + constants.Count + specials.Count;
        function.Complete(instructions, sources);
    }

    private void DecodeStatement()
    {
        parts.Clear();
        parts.AddRange(statement.Parts.Skip(1));
        foreach (var group in Groups)
        {
            if (group(this))
            {
                if (parts.Count > 0)
                    throw Error($"the suffix .{parts[0]} is not known");
                while (sources.Count < instructions.Count)
                    sources.Add(statement);
                return;
            }
        }
        throw Error("the instruction is not known");
    }

    public bool Has(string part) => parts.Contains(part);

    /// <summary>Whether the name has this part; it counts as understood then.</summary>
    public bool Take(string part) => parts.Remove(part);

    public string? TakeAny(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Take(name))
                return name;
        }
        return null;
    }

    /// <summary>Takes all parts that start so: cache hints and the like.</summary>
    public void TakeHints(params string[] starts) =>
        parts.RemoveAll(p => starts.Any(s => p.StartsWith(s, StringComparison.Ordinal)));

    public string? TakeMatching(Func<string, bool> condition)
    {
        string? part = parts.Find(p => condition(p));
        if (part is not null)
            parts.Remove(part);
        return part;
    }

    /// <summary>The first part that is a type.</summary>
    public PtxType TakeType()
    {
        for (int i = 0; i < parts.Count; i++)
        {
            if (PtxTypes.TryParse(parts[i], out PtxType type))
            {
                parts.RemoveAt(i);
                return type;
            }
        }
        throw Error("a type is missing");
    }

    public PtxOperand Operand(int index) => index < statement.Operands.Count ? statement.Operands[index]
        : throw Error($"operand {index + 1} is missing");

    public PtxException Error(string what) => new($"{function.Name}: '{statement.Text}': {what}.");

    /// <summary>The slot of an operand: a register, or a constant of the given type.</summary>
    public int Slot(int operand, PtxType type) => Slot(Operand(operand), type);

    public int Slot(PtxOperand operand, PtxType type)
    {
        switch (operand.Kind)
        {
            case PtxOperandKind.Integer or PtxOperandKind.Float:
                return Constant(Bits(operand, type));
            case PtxOperandKind.Name when operand.Name == "_":
                return Sink;
            case PtxOperandKind.Name when SpecialRegisters.Find(operand.Name) is { } special:
                return Special(operand.Name, special);
            case PtxOperandKind.Name:
                return Find(operand.Name) switch
                {
                    PtxRegister register => register.Slot,
                    PtxVariable variable => Address(variable, 0),
                    _ => throw Error($"{operand.Name} is not a register"),
                };
            default:
                throw Error("an operand is neither a register nor a number");
        }
    }

    /// <summary>The slot of a register that is written.</summary>
    public int Destination(int operand) => Destination(Operand(operand));

    public int Destination(PtxOperand operand)
    {
        if (operand.Kind == PtxOperandKind.Name && (operand.Name == "_" || Find(operand.Name) is PtxRegister))
            return Slot(operand, PtxType.B64);
        throw Error("the destination is not a register");
    }

    public PtxType RegisterType(PtxOperand operand) => Find(operand.Name) is PtxRegister register ? register.Type
        : throw Error($"{operand.Name} is not a register");

    public PtxSymbol? Find(string name) => statement.Scope.Find(name);

    public int Constant(ulong bits)
    {
        if (!constantSlots.TryGetValue(bits, out int slot))
        {
            constants.Add(bits);
            constantSlots.Add(bits, slot = -constants.Count);
        }
        return slot;
    }

    private int Special(string name, Func<PtxThread, ulong> value)
    {
        if (!specialSlots.TryGetValue(name, out int slot))
        {
            specials.Add((name, value));
            specialSlots.Add(name, slot = -(1 << 24) - specials.Count);
        }
        return slot;
    }

    /// <summary>The address of a variable in its own space.</summary>
    private int Address(PtxVariable variable, long offset)
    {
        switch (variable.Space)
        {
            case PtxSpace.Local:
                return Special(
                    $"{variable.Offset + offset} of local memory", thread =>
                        (ulong)(thread.LocalBase + variable.Offset + offset));
            case PtxSpace.Shared when variable.IsDynamic:
                return Constant((ulong)(module.DynamicShared + offset));
            case PtxSpace.Global or PtxSpace.Constant:
                return Constant(PtxMemory.ModuleVariables + (ulong)(variable.Offset + offset));
            default:
                return Constant((ulong)(variable.Offset + offset));
        }
    }

    /// <summary>
    /// Fills in what an address operand says: its base slot, the bits of it that count, the offset. Returns the
    /// variable it names, if it names one.
    /// </summary>
    public PtxVariable? SetAddress(ref PtxInstruction i, int operand)
    {
        PtxOperand address = Operand(operand);
        if (address.Kind != PtxOperandKind.Address)
            throw Error($"operand {operand + 1} is not an address");
        PtxOperand start = address.Items[0];
        i.Immediate = address.Integer;
        i.AddressMask = ~0ul;
        if (start.Kind == PtxOperandKind.Name && Find(start.Name) is PtxRegister register)
        {
            i.AddressMask = register.Type.Bytes() == 8 ? ~0ul : uint.MaxValue;
            i.A = register.Slot;
            return null;
        }
        i.A = Slot(start, PtxType.B64);
        return start.Kind == PtxOperandKind.Name ? Find(start.Name) as PtxVariable : null;
    }

    /// <summary>An instruction with the statement's guard and no operands.</summary>
    public PtxInstruction New(PtxOperation run) => NewOf(run, PtxControl.Next);

    public PtxInstruction NewOf(PtxOperation run, PtxControl control)
    {
        var i = new PtxInstruction
        {
            Run = run,
            Control = control,
            D = Sink,
            D2 = Sink,
            A = Sink,
            B = Sink,
            C = Sink,
            Members = -1,
            Predicate = Constant(1),
            SkipIf = 0,
        };
        if (statement.Predicate is { } predicate)
        {
            i.Predicate = Slot(new PtxOperand(PtxOperandKind.Name) { Name = predicate }, PtxType.Pred);
            i.SkipIf = statement.PredicateNegated ? 1u : 0;
        }
        return i;
    }

    public PtxInstruction NewCollective(PtxCollective run, bool aligned)
    {
        PtxInstruction i = NewOf(null, PtxControl.Collective);
        i.Collective = run;
        i.Aligned = aligned;
        return i;
    }

    public void Emit(PtxInstruction i) => instructions.Add(i);

    /// <summary>d = op(a), op(a, b) or op(a, b, c), with sources of one type.</summary>
    public bool Emit(PtxOperation run, PtxType type) => Emit(run, type, type, type);

    public bool Emit(PtxOperation run, PtxType a, PtxType b, PtxType c)
    {
        if (run == null)
            return false;
        PtxInstruction i = New(run);
        i.D = Destination(0);
        i.A = Slot(1, a);
        if (OperandCount > 2)
            i.B = Slot(2, b);
        if (OperandCount > 3)
            i.C = Slot(3, c);
        instructions.Add(i);
        return true;
    }

    /// <summary>The slots of wide operands, kept with the function.</summary>
    public void SetOperands(ref PtxInstruction i, IReadOnlyList<int> slots)
    {
        var pinned = GC.AllocateArray<int>(slots.Count, pinned: true);
        for (int n = 0; n < pinned.Length; n++)
            pinned[n] = slots[n];
        function.Pinned.Add(pinned);
        fixed (int* start = pinned)
            i.Operands = start;
        i.OperandCount = pinned.Length;
    }

    /// <summary>The elements of a vector operand; a single register is a vector of one.</summary>
    public List<int> Vector(int operand, PtxType type, bool destination)
    {
        PtxOperand value = Operand(operand);
        IReadOnlyList<PtxOperand> items = value.Kind == PtxOperandKind.Vector ? value.Items : [value];
        return [.. items.Select(item => destination ? Destination(item) : Slot(item, type))];
    }

    private PtxInstruction Resolve(PtxInstruction i, int[] starts)
    {
        i.Predicate = Final(i.Predicate);
        i.D = Final(i.D);
        i.D2 = Final(i.D2);
        i.A = Final(i.A);
        i.B = Final(i.B);
        i.C = Final(i.C);
        if (i.Members != -1)
            i.Members = Final(i.Members);
        for (int n = 0; n < i.OperandCount; n++)
            i.Operands[n] = Final(i.Operands[n]);
        if (i.Control == PtxControl.Branch)
            i.TargetIndex = starts[i.TargetIndex];
        return i;
    }

    private int Final(int slot) => slot switch
    {
        >= 0 => slot,
        > -(1 << 24) => function.FirstConstant - slot - 1,
        _ => function.FirstConstant + constants.Count - slot - (1 << 24) - 1,
    };

    /// <summary>A number's bits as a value of a type.</summary>
    public static ulong Bits(PtxOperand number, PtxType type) => number.Kind switch
    {
        PtxOperandKind.Integer => type.Bytes() == 8 ? (ulong)number.Integer
            : (ulong)number.Integer & ((1ul << (8 * type.Bytes())) - 1),
        PtxOperandKind.Float when type.Bytes() == 8 => BitConverter.DoubleToUInt64Bits(number.Float),
        PtxOperandKind.Float when type == PtxType.F16 => BitConverter.HalfToUInt16Bits((Half)number.Float),
        PtxOperandKind.Float => number.FloatBits ?? BitConverter.SingleToUInt32Bits((float)number.Float),
        _ => throw new PtxException($"PTX: {number.Name} is not a number."),
    };
}
