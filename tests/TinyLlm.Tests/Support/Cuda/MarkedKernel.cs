using System.Reflection;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>A method marked as a kernel, with element types in the place of its type parameters.</summary>
internal sealed record MarkedKernel(MethodInfo Method, KernelAttribute Mark)
{
    private const BindingFlags OwnMethods = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Type and method.</summary>
    public string Name => $"{Method.DeclaringType!.Name}.{Method.Name}";

    /// <summary>The type arguments.</summary>
    public string Elements => string.Join(", ", Method.GetGenericArguments().Select(type => type.Name));

    /// <summary>Where it must run.</summary>
    public IReadOnlyList<CudaTarget> Targets => Mark.ComputeCapability switch
    {
        0 or 80 => [CudaTarget.Sm80, CudaTarget.Sm90],
        90 => [CudaTarget.Sm90a],
        _ => throw new NotSupportedException(
            $"{this} declares compute capability {Mark.ComputeCapability}; the tests know 0, 80 and 90."),
    };

    /// <summary>
    /// All marked methods of these types, a generic one with every choice of type arguments, sorted by name.
    /// </summary>
    public static IReadOnlyList<MarkedKernel> FindAll(IEnumerable<Type> types) =>
    [
        .. from type in types
           from method in type.GetMethods(OwnMethods)
           let mark = method.GetCustomAttribute<KernelAttribute>()
           where mark is not null
           from closed in Close(method)
           let kernel = new MarkedKernel(closed, mark)
           orderby kernel.ToString()
           select kernel,
    ];

    /// <summary>What is assembled for a target.</summary>
    public string Ptx(CudaTarget target) => OfflineCompiler.Ptx(Method, target.Capability);

    public override string ToString() => Elements == "" ? Name : $"{Name}<{Elements}>";

    private static IEnumerable<MethodInfo> Close(MethodInfo method)
    {
        if (!method.IsStatic || method.DeclaringType!.ContainsGenericParameters)
        {
            throw new NotSupportedException($"{method.DeclaringType!.Name}.{method.Name} is marked as a kernel; "
                + "kernels are static methods of types without type parameters.");
        }

        if (!method.IsGenericMethodDefinition)
            return [method];

        IEnumerable<Type[]> choices = [[]];
        foreach (var parameter in method.GetGenericArguments())
        {
            choices = [.. from chosen in choices from argument in Arguments(
                parameter) select (Type[])[.. chosen, argument]];
        }

        return choices.Select(method.MakeGenericMethod);
    }

    /// <summary>
    /// The structs that implement what a type parameter asks for, beside its declaration: Float32 and BFloat16 for
    /// IElement.
    /// </summary>
    private static IEnumerable<Type> Arguments(Type parameter)
    {
        var wanted = parameter.GetGenericParameterConstraints().Where(constraint => constraint.IsInterface)
            .Select(Definition).ToArray();
        if (wanted.Length == 0)
        {
            throw new NotSupportedException($"{parameter.DeclaringMethod!.Name}: {parameter.Name} is constrained to "
                + "no interface, so that its arguments are not known.");
        }

        return wanted[0].Assembly.GetTypes()
            .Where(type => type.IsValueType && wanted.All(type.GetInterfaces().Select(Definition).Contains));
    }

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;
}
