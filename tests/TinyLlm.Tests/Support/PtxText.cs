using TinyLlm.Tests.Support.Ptx;

namespace TinyLlm.Tests.Support;

/// <summary>Short PTX kernels for tests.</summary>
internal static class PtxText
{
    /// <summary>Declares "tile", the dynamic part of shared memory.</summary>
    public const string DynamicShared = ".extern .shared .align 128 .b8 tile[];";

    /// <summary>
    /// An entry with one pointer parameter, "data": %data is its address, %thread the thread's number, %lane its lane,
    /// %at the address of its own element of 4 bytes; %p, %h, %r, %rd, %f, %fd are registers.
    /// </summary>
    public static string Kernel(string body, string declarations = DynamicShared) => $$"""
        .version 8.0
        .target sm_90a
        .address_size 64
        {{declarations}}
        .visible .entry kernel(.param .u64 data)
        {
            .reg .pred %p<8>;
            .reg .b16 %h<16>;
            .reg .b32 %r<64>;
            .reg .b64 %rd<32>;
            .reg .f32 %f<256>;
            .reg .f64 %fd<8>;
            .reg .b32 %thread, %lane;
            .reg .b64 %data, %at;
            ld.param.u64 %data, [data];
            cvta.to.global.u64 %data, %data;
            mov.u32 %thread, %tid.x;
            mov.u32 %lane, %laneid;
            mul.wide.u32 %at, %thread, 4;
            add.u64 %at, %at, %data;
            {{body}}
            ret;
        }
        """;

    /// <summary>Runs a kernel's body in one block over an array that it changes.</summary>
    public static T[] Run<T>(
        string body, int threads, T[] data, int dynamicSharedBytes = 0, bool watchesSharedMemory = true)
        where T : unmanaged
    {
        using var machine = new PtxMachine(PtxModule.Parse(Kernel(body))) { WatchesSharedMemory = watchesSharedMemory };
        ulong address = machine.Upload<T>(data);
        machine.Launch(1, threads, dynamicSharedBytes, address);
        return machine.Download<T>(address, data.Length);
    }
}
