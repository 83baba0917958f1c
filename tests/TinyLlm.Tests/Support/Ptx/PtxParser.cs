using System.Globalization;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Reads a PTX text: functions with their statements, and variables laid out in their spaces.</summary>
internal sealed class PtxParser
{
    private readonly PtxTokens tokens;
    private readonly PtxModule module;
    private PtxScope scope;
    private PtxFunction? function;

    private PtxParser(string text, PtxModule module)
    {
        tokens = new PtxTokens(text);
        this.module = module;
        scope = new PtxScope(null);
    }

    public static void Parse(string text, PtxModule module)
    {
        var parser = new PtxParser(text, module);
        while (!parser.tokens.AtEnd)
            parser.ModuleItem();
    }

    private void ModuleItem()
    {
        bool isExtern = false;
        while (tokens.Next is ".visible" or ".extern" or ".weak" or ".common")
            isExtern |= tokens.Take() == ".extern";
        switch (tokens.Next)
        {
            case ".version" or ".target" or ".address_size":
                tokens.Take();
                do
                    tokens.Take();
                while (tokens.TakeIf(",") || (!tokens.AtEnd && char.IsAsciiDigit(tokens.Next[0])));
                break;
            case ".entry" or ".func":
                Function(tokens.Take() == ".entry");
                break;
            case ".shared" or ".global" or ".const":
                Variable(isExtern);
                break;
            default:
                throw tokens.Error("expected a function or a variable");
        }
    }

    private void Function(bool isEntry)
    {
        tokens.TakeIf(".noreturn");
        var results = new List<(int Align, int Bytes, string Name)>();
        if (tokens.Next == "(")
            results = ParameterList();
        string name = tokens.Take();
        var parameters = tokens.Next == "(" ? ParameterList() : [];
        PtxFunction target = module.Declare(name, isEntry);
        while (tokens.Next.StartsWith('.'))
            PerformanceDirective();
        if (tokens.TakeIf(";"))
            return;
        if (target.Statements.Count > 0)
            throw tokens.Error($"function {name} has a second body");

        function = target;
        scope = new PtxScope(scope);
        foreach (var (align, bytes, parameter) in results)
            target.Results.Add(Parameter(parameter, align, bytes));
        foreach (var (align, bytes, parameter) in parameters)
            target.Parameters.Add(Parameter(parameter, align, bytes));
        Block();
        scope = scope.Parent!;
        function = null;
    }

    /// <summary>
    /// .maxntid 256, 1, 1 and the like: they bound what a launch may ask, and change nothing of what it does.
    /// </summary>
    private void PerformanceDirective()
    {
        tokens.Take();
        while (char.IsAsciiDigit(tokens.Next[0]) || tokens.Next == ",")
            tokens.Take();
    }

    private List<(int Align, int Bytes, string Name)> ParameterList()
    {
        var list = new List<(int, int, string)>();
        tokens.Expect("(");
        while (!tokens.TakeIf(")"))
        {
            tokens.Expect(".param");
            var (align, bytes, name, _) = Declaration();
            list.Add((align, bytes, name));
            tokens.TakeIf(",");
        }
        return list;
    }

    private PtxVariable Parameter(string name, int align, int bytes)
    {
        bool entry = function!.IsEntry;
        int end = entry ? function.EntryParameterBytes : function.FrameParameterBytes;
        int offset = AlignUp(end, align);
        if (entry)
            function.EntryParameterBytes = offset + bytes;
        else
            function.FrameParameterBytes = offset + bytes;
        var variable =
            new PtxVariable(name, entry ? PtxSpace.EntryParameter : PtxSpace.FrameParameter, offset, bytes, false);
        scope.Add(name, variable);
        return variable;
    }

    /// <summary>[.align N] .type name [dimensions], after the space.</summary>
    private (int Align, int Bytes, string Name, PtxType Type) Declaration()
    {
        int align = 0;
        if (tokens.TakeIf(".align"))
            align = tokens.TakeInteger();
        PtxType type = Type();
        if (tokens.TakeIf(".ptr"))
        {
            if (tokens.Next is ".global" or ".shared" or ".const" or ".local")
                tokens.Take();
            if (tokens.TakeIf(".align"))
                tokens.TakeInteger();
        }
        string name = tokens.Take();
        int count = 1;
        while (tokens.TakeIf("["))
        {
            if (tokens.TakeIf("]"))
            {
                count = 0;
                continue;
            }
            count *= tokens.TakeInteger();
            tokens.Expect("]");
        }
        return (Math.Max(align, type.Bytes()), count * type.Bytes(), name, type);
    }

    private PtxType Type()
    {
        if (!tokens.Next.StartsWith('.') || !PtxTypes.TryParse(tokens.Next[1..], out PtxType type))
            throw tokens.Error("expected a type");
        tokens.Take();
        return type;
    }

    private void Variable(bool isExtern)
    {
        PtxSpace space = tokens.Take() switch
        {
            ".shared" => PtxSpace.Shared,
            ".global" => PtxSpace.Global,
            ".const" => PtxSpace.Constant,
            ".local" => PtxSpace.Local,
            ".param" => PtxSpace.FrameParameter,
            string other => throw tokens.Error($"unknown space {other}"),
        };
        var (align, bytes, name, type) = Declaration();
        byte[]? initial = tokens.TakeIf("=") ? Initializer(type, bytes) : null;
        tokens.Expect(";");
        bool isDynamic = isExtern && space == PtxSpace.Shared;
        scope.Add(name,
            new PtxVariable(
                name, space, module.Place(function, space, align, bytes, isDynamic, initial), bytes, isDynamic));
    }

    private byte[] Initializer(PtxType type, int bytes)
    {
        var content = new byte[bytes];
        int place = 0;
        bool braces = tokens.TakeIf("{");
        do
        {
            PtxOperand value = Number();
            ulong bits = PtxDecoder.Bits(value, type);
            for (int i = 0; i < type.Bytes(); i++)
                content[place++] = (byte)(bits >> (8 * i));
        }
        while (braces && tokens.TakeIf(","));
        if (braces)
            tokens.Expect("}");
        return content;
    }

    private void Block()
    {
        tokens.Expect("{");
        while (!tokens.TakeIf("}"))
            BodyItem();
    }

    private void BodyItem()
    {
        switch (tokens.Next)
        {
            case "{":
                scope = new PtxScope(scope);
                Block();
                scope = scope.Parent!;
                return;
            case ".reg":
                tokens.Take();
                Registers();
                return;
            case ".shared" or ".local" or ".param" or ".global" or ".const":
                Variable(false);
                return;
            case ".pragma":
                tokens.Take();
                tokens.Take();
                tokens.Expect(";");
                return;
            case ";":
                tokens.Take();
                return;
        }
        if (tokens.AfterNext == ":")
        {
            scope.Add(tokens.Take(), new PtxLabel(function!.Statements.Count));
            tokens.Take();
            return;
        }
        function!.Statements.Add(Statement());
    }

    private void Registers()
    {
        PtxType type = Type();
        do
        {
            string name = tokens.Take();
            if (!tokens.TakeIf("<"))
            {
                scope.Add(name, new PtxRegister(function!.Slots++, type));
                continue;
            }
            int count = tokens.TakeInteger();
            tokens.Expect(">");
            for (int i = 0; i < count; i++)
                scope.Add(name + i.ToString(CultureInfo.InvariantCulture), new PtxRegister(function!.Slots++, type));
        }
        while (tokens.TakeIf(","));
        tokens.Expect(";");
    }

    private PtxStatement Statement()
    {
        int first = tokens.Place;
        string? predicate = null;
        bool negated = false;
        if (tokens.TakeIf("@"))
        {
            negated = tokens.TakeIf("!");
            predicate = tokens.Take();
        }
        // "::" belongs to the part it qualifies: shared::cluster, mbarrier::complete_tx::bytes.
        string[] parts = tokens.Take().Split('.');
        var operands = new List<PtxOperand>();
        while (tokens.Next != ";")
        {
            operands.Add(Operand());
            if (tokens.Next != ";")
                tokens.Expect(",");
        }
        string text = tokens.TextFrom(first);
        tokens.Expect(";");
        return new PtxStatement(predicate, negated, parts, operands, scope, text);
    }

    private PtxOperand Operand()
    {
        switch (tokens.Next)
        {
            case "{":
                return new PtxOperand(PtxOperandKind.Vector) { Items = Items("{", "}") };
            case "(":
                return new PtxOperand(PtxOperandKind.List) { Items = Items("(", ")") };
            case "[":
                return Address();
            case "!":
                tokens.Take();
                return new PtxOperand(PtxOperandKind.Name) { Name = tokens.Take(), Negated = true };
        }
        if (tokens.Next == "-" || char.IsAsciiDigit(tokens.Next[0]))
            return Number();
        var name = new PtxOperand(PtxOperandKind.Name) { Name = tokens.Take() };
        if (!tokens.TakeIf("|"))
            return name;
        return new PtxOperand(
            PtxOperandKind.Pair)
        { Items = [name, new PtxOperand(PtxOperandKind.Name) { Name = tokens.Take() }] };
    }

    private List<PtxOperand> Items(string open, string close)
    {
        tokens.Expect(open);
        var items = new List<PtxOperand>();
        while (!tokens.TakeIf(close))
        {
            items.Add(Operand());
            tokens.TakeIf(",");
        }
        return items;
    }

    private PtxOperand Address()
    {
        tokens.Expect("[");
        PtxOperand start = Operand();
        long offset = 0;
        while (tokens.Next is "+" or "-")
        {
            if (tokens.Next == "+")
                tokens.Take();
            offset += Number().Integer;
        }
        List<PtxOperand> items = tokens.TakeIf(",") ? [start, Operand()] : [start];
        tokens.Expect("]");
        return new PtxOperand(PtxOperandKind.Address) { Items = items, Integer = offset };
    }

    private PtxOperand Number()
    {
        bool minus = tokens.TakeIf("-");
        string text = tokens.Next;
        if (!char.IsAsciiDigit(text[0]))
            throw tokens.Error("expected a number");
        tokens.Take();
        if (text.StartsWith("0f", StringComparison.OrdinalIgnoreCase))
        {
            uint bits = uint.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                ^ (minus ? 0x80000000u : 0);
            return new PtxOperand(
                PtxOperandKind.Float)
            { Float = BitConverter.UInt32BitsToSingle(bits), FloatBits = bits };
        }
        if (text.StartsWith("0d", StringComparison.OrdinalIgnoreCase))
        {
            ulong bits = ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                ^ (minus ? 1ul << 63 : 0);
            return new PtxOperand(PtxOperandKind.Float) { Float = BitConverter.UInt64BitsToDouble(bits) };
        }
        if (text.Contains('.'))
        {
            double value = double.Parse(text, CultureInfo.InvariantCulture);
            return new PtxOperand(PtxOperandKind.Float) { Float = minus ? -value : value };
        }
        text = text.TrimEnd('U');
        ulong integer = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : ulong.Parse(text, CultureInfo.InvariantCulture);
        return new PtxOperand(PtxOperandKind.Integer) { Integer = minus ? -(long)integer : (long)integer };
    }

    public static int AlignUp(int value, int align) => (value + align - 1) / align * align;
}
