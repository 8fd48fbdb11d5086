#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch_gpt2.py JSON - the peer of the training bars: Transformers' GPT-2 under PyTorch, as fast as it goes.

The argument: layers, width, heads, vocab, positions, batch, seq (positions where absent), dropout (0),
dtype (fp32 or bf16, by autocast), compile (torch.compile). A step is forward, backward, clipping to 1,
fused AdamW. Warms up, then reads numbers of steps, line by line, and answers each with a line:
{"tokens_per_s", "step_s" (median), "peak_bytes", "parameters"}."""
import json
import os
import statistics
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

shape = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(42)
drop, batch, length = shape.get("dropout", 0.0), shape["batch"], shape.get("seq", shape["positions"])
model = GPT2LMHeadModel(GPT2Config(
    vocab_size=shape["vocab"], n_positions=shape["positions"], n_embd=shape["width"], n_layer=shape["layers"],
    n_head=shape["heads"], resid_pdrop=drop, embd_pdrop=drop, attn_pdrop=drop, attn_implementation="sdpa"))
model.train()
parameters = list(model.parameters())
optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
run = torch.compile(model) if shape.get("compile") else model


def step():
    ids = torch.randint(0, shape["vocab"], (batch, length))
    began = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=shape.get("dtype") == "bf16"):
        loss = run(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - began


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


step()
step()
for line in sys.stdin:
    took = statistics.median(step() for _ in range(int(line)))
    print(json.dumps({"tokens_per_s": batch * length / took, "step_s": took, "peak_bytes": peak_bytes(),
                      "parameters": sum(p.numel() for p in parameters)}), flush=True)
