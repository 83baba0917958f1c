#!/usr/bin/env python3
"""GPT-2 and Qwen3 in plain PyTorch, in training: what TinyLlm's training speed is held against. Needs the standard library and torch.

    TinyLlm.GpuBench shapes > shapes.json
    python3 torch_gpt.py --shapes shapes.json --json torch-gpt.json --only base --modes eager,compile

The models are those of `TinyLlm.GpuBench train`: the same sizes, padded vocabulary, batches of random tokens, dropout 0. bf16 is autocast over fp32 weights, gradients and
optimiser state, as nanoGPT trains, with the residual stream in bf16, as TinyLlm's is; attention is F.scaled_dot_product_attention, the optimiser the fused AdamW, gradients are
clipped to norm 1. A step's batch is copied from pinned memory without waiting. Modes: eager; compile is torch.compile of the model with its loss; graphs is the same with CUDA graphs (mode="reduce-overhead").

tokens/s is the median over blocks of steps, each between two waits for the device.
"""

import argparse
import contextlib
import gc
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = 5


class RmsNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        # One type for both, or the fused kernel is not taken.
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), 1e-6)


class Gpt2Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        c = s["width"]
        self.heads = s["heads"]
        self.norm1, self.norm2 = nn.LayerNorm(c, eps=1e-5), nn.LayerNorm(c, eps=1e-5)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.up, self.down = nn.Linear(c, s["mlpWidth"]), nn.Linear(s["mlpWidth"], c)

    def forward(self, x, _):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Qwen3Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        c, f = s["width"], s["mlpWidth"]
        self.heads = self.kv_heads = s["heads"]
        self.size = c // self.heads
        self.norm1, self.norm2 = RmsNorm(c), RmsNorm(c)
        self.q_norm, self.k_norm = RmsNorm(self.size), RmsNorm(self.size)
        self.qkv = nn.Linear(c, (self.heads + 2 * self.kv_heads) * self.size, bias=False)
        self.out = nn.Linear(self.heads * self.size, c, bias=False)
        self.gate_up, self.down = nn.Linear(c, 2 * f, bias=False), nn.Linear(f, c, bias=False)

    def forward(self, x, rope):
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, -1, self.size).split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        q, k = rotate(self.q_norm(q), rope).to(v.dtype), rotate(self.k_norm(k), rope).to(v.dtype)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        grouped = {"enable_gqa": True} if self.heads != self.kv_heads else {}
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, **grouped)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def rotate(x, rope):
    """Half-split rotary embedding of x (B, T, H, D) by the angles' cosines and sines, each (T, 1, D / 2)."""
    cos, sin = (table.to(x.dtype) for table in rope)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Gpt(nn.Module):
    """Token table, blocks, final norm, tied head, and the mean cross-entropy of the next token."""

    def __init__(self, s, dtype):
        super().__init__()
        c, t = s["width"], s["context"]
        self.dtype = dtype
        gpt2 = s["architecture"] == "gpt2"
        self.tokens = nn.Embedding(s["vocabulary"], c)
        self.positions = nn.Embedding(t, c) if gpt2 else None
        self.blocks = nn.ModuleList((Gpt2Block if gpt2 else Qwen3Block)(s) for _ in range(s["layers"]))
        self.norm = nn.LayerNorm(c, eps=1e-5) if gpt2 else RmsNorm(c)
        size = c // s["heads"]
        angles = torch.outer(torch.arange(t), 10_000.0 ** (-torch.arange(0, size, 2) / size))[:, None]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deviation = 0.02 / (2 * s["layers"]) ** 0.5 if name.endswith(("out.weight", "down.weight")) else 0.02
                nn.init.normal_(parameter, std=deviation)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens, targets):
        x = self.tokens(tokens)
        if self.positions is not None:
            x = x + self.positions.weight
        x = x.to(self.dtype)
        for block in self.blocks:
            x = block(x, (self.cos, self.sin))
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def optimizer_of(model, device):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=6e-4, betas=(0.9, 0.95), eps=1e-8, fused=device == "cuda")


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def train(s, mode, device, precision):
    """Trains one model; returns what was measured."""
    torch.manual_seed(1)
    torch._dynamo.reset()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = Gpt(s, dtype).to(device)
    optimizer = optimizer_of(model, device)
    compiled = model
    if mode != "eager":
        compiled = torch.compile(model, dynamic=False, mode="reduce-overhead" if mode == "graphs" else None)
    cast = torch.autocast(device, dtype) if precision == "bf16" else contextlib.nullcontext()

    b, t, steps, warm_up = s["batch"], s["context"], s["steps"], s["warmUp"]
    windows = torch.randint(s["vocabulary"], (warm_up + steps, b, t + 1))
    if device == "cuda":
        windows = windows.pin_memory()
        torch.cuda.reset_peak_memory_stats()

    def step(i):
        window = windows[i].to(device, non_blocking=True)
        if mode == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
        with cast:
            loss = compiled(window[:, :-1], window[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    start = time.perf_counter()
    for i in range(warm_up):
        loss = step(i)
    synchronize(device)
    warm_up_seconds = time.perf_counter() - start

    seconds, done = [], 0
    for block in range(min(BLOCKS, steps)):
        count = (block + 1) * steps // min(BLOCKS, steps) - done
        synchronize(device)
        start = time.perf_counter()
        for i in range(done, done + count):
            loss = step(warm_up + i)
        synchronize(device)
        seconds.append((time.perf_counter() - start) / count)
        done += count

    median = statistics.median(seconds)
    return {
        "name": s["name"], "architecture": s["architecture"], "batch": b, "context": t, "mode": mode, "precision": precision,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokensPerSecond": b * t / median, "spread": (max(seconds) - min(seconds)) / median,
        "memoryMiB": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0,
        "loss": loss.item(), "warmUpSeconds": warm_up_seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", required=True, help="file that `TinyLlm.GpuBench shapes` wrote")
    parser.add_argument("--json", help="write the results here too")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--only", default="", help="models apart by commas: tiny, small, base")
    parser.add_argument("--modes", default="eager,compile", help="among eager, compile, graphs")
    parser.add_argument("--steps", type=int, default=0, help="steps that are timed, instead of those of the file")
    args = parser.parse_args()

    with open(args.shapes, encoding="utf-8") as file:
        shapes = json.load(file)["training"]
    only = [name for name in args.only.split(",") if name]
    unknown = set(only) - {s["name"] for s in shapes}
    if unknown:
        parser.error(f"--only {', '.join(sorted(unknown))}: not in {args.shapes}")

    torch.set_float32_matmul_precision("high")
    device = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__} on {device}, {args.precision}\n")
    print("| model | architecture | B | T | mode | tokens/s | spread | MiB | loss | warm-up s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    results, failures = [], []
    for s in shapes:
        if only and s["name"] not in only:
            continue
        if args.steps > 0:
            s["steps"] = args.steps
        for mode in args.modes.split(","):
            try:
                r = train(s, mode, args.device, args.precision)
            except Exception as error:  # out of memory, or a compiler's fault: the others still count
                r = None
                failures.append(f"PyTorch {s['name']} {s['architecture']} B={s['batch']} {mode}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
                print(failures[-1], file=sys.stderr)
            finally:
                gc.collect()
                if args.device == "cuda":
                    torch.cuda.empty_cache()
            if r:
                results.append(r)
                print(f"| {r['name']} | {r['architecture']} | {r['batch']} | {r['context']} | {mode} | {r['tokensPerSecond']:,.0f} | {r['spread']:.0%} "
                      f"| {r['memoryMiB']:,.0f} | {r['loss']:.3f} | {r['warmUpSeconds']:.1f} |", flush=True)
            if args.json:
                with open(args.json, "w", encoding="utf-8") as file:
                    json.dump({"torch": torch.__version__, "device": device, "results": results, "failures": failures}, file, indent=2)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
