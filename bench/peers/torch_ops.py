#!/usr/bin/env python3
"""PyTorch's matrix products (cuBLAS) and fused attention over the shapes that TinyLlm is timed with. Needs the standard library and torch.

    TinyLlm.GpuBench shapes > shapes.json
    python3 torch_ops.py --shapes shapes.json --json torch-ops.json

Timed as `TinyLlm.GpuBench matmul` and `attention` are: random data, more buffers than the cache holds, a CUDA graph that goes once through all of them, run for a while
between two waits for the device; the median of several such rounds. Products write into memory that is there; the weight gradient is bf16, where TinyLlm adds to
fp32. fp32 is PyTorch's default, without tf32. The backward pass of attention is the time of forward and backward less that of forward.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch.nn import functional as F

ROTATED_BYTES, MAX_SETS = 256 << 20, 128
TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


class Timer:
    def __init__(self, device, quick):
        self.device = device
        self.rounds, self.seconds_per_round = (2, 0.001) if quick else (9, 0.025)
        self.quick = quick

    def sets(self, bytes_per_set):
        return 2 if self.quick else min(MAX_SETS, max(1, -(-ROTATED_BYTES // bytes_per_set)))

    def measure(self, buffers, op):
        """Median seconds of op(set), over all sets in turn."""
        run = self.record(lambda: [op(b) for b in buffers])
        self.time(run, 2)
        calls = max(1, int(self.seconds_per_round / self.time(run, 3)))
        return statistics.median(self.time(run, calls) for _ in range(self.rounds)) / len(buffers)

    def record(self, work):
        if self.device != "cuda":
            return work
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay

    def time(self, run, calls):
        self.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        self.synchronize()
        return (time.perf_counter() - start) / calls

    def synchronize(self):
        if self.device == "cuda":
            torch.cuda.synchronize()


def noise(device, dtype, *shape):
    return torch.empty(shape, device=device, dtype=dtype).uniform_(-1, 1)


def products(shape, device, timer):
    """The three products of a linear layer: y = x W^T, dx = dy W, dW = dy^T x."""
    m, n, k, dtype = shape["m"], shape["n"], shape["k"], TYPES[shape["precision"]]
    count = timer.sets((2 * m * k + 2 * n * k + m * n) * dtype.itemsize)
    sets = [{
        "x": noise(device, dtype, m, k), "weight": noise(device, dtype, n, k), "y": noise(device, dtype, m, n),
        "dx": noise(device, dtype, m, k), "dweight": noise(device, dtype, n, k),
    } for _ in range(count)]
    for op, work in (
        ("forward", lambda b: torch.mm(b["x"], b["weight"].t(), out=b["y"])),
        ("backward input", lambda b: torch.mm(b["y"], b["weight"], out=b["dx"])),
        ("backward weight", lambda b: torch.mm(b["y"].t(), b["x"], out=b["dweight"])),
    ):
        seconds = timer.measure(sets, work)
        yield {**shape, "op": op, "milliseconds": seconds * 1e3, "tflops": 2.0 * m * n * k / seconds / 1e12}


def attention(shape, device, timer):
    """Causal attention, queries, keys and values as views of one stacked projection."""
    b, t, h, hkv, d, dtype = (*(shape[name] for name in ("b", "t", "h", "hkv", "d")), TYPES[shape["precision"]])
    count = timer.sets(b * t * (2 * (h + 2 * hkv) + 2 * h) * d * dtype.itemsize)
    sets = []
    for _ in range(count):
        stacked = noise(device, dtype, b, t, h + 2 * hkv, d)
        sets.append(([part.transpose(1, 2).detach().requires_grad_() for part in stacked.split((h, hkv, hkv), dim=2)], noise(device, dtype, b, t, h, d).transpose(1, 2)))
    grouped = {"enable_gqa": True} if h != hkv else {}

    def forward(s):
        return F.scaled_dot_product_attention(*s[0], is_causal=True, **grouped)

    def both(s):
        return torch.autograd.grad(forward(s), s[0], s[1])

    seconds = timer.measure(sets, forward)
    backward = timer.measure(sets, both) - seconds
    flops = 2.0 * b * h * d * t * t
    yield {**shape, "op": "forward", "milliseconds": seconds * 1e3, "tflops": flops / seconds / 1e12}
    yield {**shape, "op": "backward", "milliseconds": backward * 1e3, "tflops": 2.5 * flops / backward / 1e12}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", required=True, help="file that `TinyLlm.GpuBench shapes` wrote")
    parser.add_argument("--json", help="write the results here too")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--only", default="", help="models whose products are timed, apart by commas: tiny, small, base, medium, square")
    args = parser.parse_args()

    with open(args.shapes, encoding="utf-8") as file:
        shapes = json.load(file)
    only = [name for name in args.only.split(",") if name]
    device = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    timer = Timer(args.device, shapes["quick"])
    results = {"torch": torch.__version__, "device": device, "products": [], "attention": []}
    print(f"PyTorch {torch.__version__} on {device}\n")
    print("| op | shape | ms | TFLOP/s |\n| --- | --- | --- | --- |")
    for kind, function in (("products", products), ("attention", attention)):
        for shape in shapes[kind]:
            if kind == "products" and only and shape["model"] not in only:
                continue
            for r in function(shape, args.device, timer):
                results[kind].append(r)
                sizes = ", ".join(f"{name} {value}" for name, value in shape.items())
                print(f"| {r['op']} | {sizes} | {r['milliseconds']:.4f} | {r['tflops']:.4g} |", flush=True)
            if args.json:
                with open(args.json, "w", encoding="utf-8") as file:
                    json.dump(results, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
