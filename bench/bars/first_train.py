# SPDX-License-Identifier: Apache-2.0
"""Tokens a second of training the sample's model, against PyTorch on the same processors.

The same shape, batch, data and optimizer (AdamW, clipping, dropout); PyTorch as its own best: tuned allocator,
as many threads as processors, fused AdamW, scaled-dot-product attention, fp32."""
import json
import shutil

TITLE = "training the sample's model (fp32), tokens/s against tuned PyTorch"
THRESHOLD = None
UNIT = "tokens/s"
HIGHER = True
PACKAGES = ["torch", "transformers"]
PEER = None
SHAPE = {"layers": 4, "width": 128, "heads": 4, "positions": 128, "batch": 8, "steps": 60, "vocab": 2000, "dropout": 0.1}


def prepare(tools):
    sample = tools.root / "build" / "quickstart"
    if not (sample / "tokens" / "colophon.json").exists():
        tools.run(tools.root / "quickstart", "build/quickstart")
    return sample


def ours(tools, sample):
    out = tools.folder / "model"
    for leftover in (out, tools.folder / "model.run"):
        shutil.rmtree(leftover, ignore_errors=True)
    answer = tools.run(tools.colophon, "train", "gpt2", "--corpus", sample / "corpus", "--no-revocations",
                       "--tokenizer", sample / "tokenizer", "--tokens", sample / "tokens", "--out", out,
                       "--layers", SHAPE["layers"], "--width", SHAPE["width"], "--heads", SHAPE["heads"],
                       "--positions", SHAPE["positions"], "--batch", SHAPE["batch"], "--steps", SHAPE["steps"],
                       "--dropout", SHAPE["dropout"], "--lr", "2e-3", "--seed", "42", "--save-every", "0",
                       "--threads", tools.threads, "--json", "--quiet")
    return json.loads(answer)["tokens_per_s"]


def peer(tools, _):
    tuned = {"OMP_NUM_THREADS": str(tools.threads),
             "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=8000000000"}
    answer = tools.python(tools.root / "bench" / "torch_gpt2.py", json.dumps(SHAPE), env=tuned)
    return json.loads(answer)["tokens_per_s"]
