#!/usr/bin/env python3
"""Opens a model folder with Hugging Face's transformers and compares its logits with TinyLlm's. Needs torch and transformers.

    TinyLlm.GpuBench logits --model DIR --json logits.json --precision fp32
    python3 hf_check.py DIR logits.json --json hf.json

Both sides compute in fp32, transformers on the CPU. Exit code 1: the logits differ by more than --tolerance, relative in norm; the default leaves room for tf32.
"""

import argparse
import json
import sys

import torch
import transformers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the model folder")
    parser.add_argument("logits", help="file that `TinyLlm.GpuBench logits` wrote")
    parser.add_argument("--json", help="write the result here too")
    parser.add_argument("--tolerance", type=float, default=2e-3)
    args = parser.parse_args()

    with open(args.logits, encoding="utf-8") as file:
        ours = json.load(file)
    actual = torch.tensor(ours["logits"], dtype=torch.float64)  # (T, V)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.folder).float().eval()
    with torch.no_grad():
        expected = model(torch.tensor([ours["tokens"]])).logits[0].double()
    if actual.shape != expected.shape:
        print(f"{args.folder}: our logits are {tuple(actual.shape)}, transformers' {tuple(expected.shape)}", file=sys.stderr)
        return 1

    relative = ((actual - expected).norm() / expected.norm()).item()
    passed = relative <= args.tolerance  # NaN is not
    result = {
        "architecture": model.config.model_type,
        "largest": (actual - expected).abs().max().item(),
        "relative": relative,
        "sameLikeliest": int((actual.argmax(-1) == expected.argmax(-1)).sum()),
        "tokens": len(ours["tokens"]),
        "status": "ok" if passed else "failed",
        "precision": ours["precision"],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(", ".join(f"{name} {value}" for name, value in result.items()))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
