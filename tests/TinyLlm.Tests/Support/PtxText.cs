using TinyLlm.Tests.Support.Ptx;

namespace TinyLlm.Tests.Support;

/// <summary>Short PTX kernels for tests.</summary>
internal static class PtxText
{
    /// <summary>
    /// An entry with one pointer parameter, "data": %data is its address, %tid the thread's number, %lane its lane, %at the address of its own element of 4 bytes, %p, %r, %rd,
    /// %f, %fd, %h are registers.
    /// </summary>
    public static string Kernel(string body, string target = "sm_90a", string declarations = "") => $$"""
        .version 8.0
        .target {{target}}
        .address_size 64
        {{declarations}}
        .visible .entry kernel(.param .u64 data)
        {
            .reg .pred %p<8>;
            .reg .b16 %h<16>;
            .reg .b32 %r<64>;
            .reg .b64 %rd<32>;
            .reg .f32 %f<64>;
            .reg .f64 %fd<8>;
            .reg .b32 %tid, %lane;
            .reg .b64 %data, %at;
            ld.param.u64 %data, [data];
            cvta.to.global.u64 %data, %data;
            mov.u32 %tid, %tid.x;
            mov.u32 %lane, %laneid;
            mul.wide.u32 %at, %tid, 4;
            add.u64 %at, %at, %data;
            {{body}}
            ret;
        }
        """;

    /// <summary>Runs a kernel's body in one block over an array that it changes.</summary>
    public static T[] Run<T>(string body, int threads, T[] data, int dynamicSharedBytes = 0, string declarations = "") where T : unmanaged
    {
        using var machine = new PtxMachine(PtxModule.Parse(Kernel(body, declarations: declarations)));
        ulong address = machine.Upload<T>(data);
        machine.Launch(1, threads, dynamicSharedBytes, address);
        return machine.Download<T>(address, data.Length);
    }
}
