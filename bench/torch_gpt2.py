#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of the training bars: Transformers' GPT-2 under PyTorch. Argument: the shape as JSON.
Prints {"tokens_per_s": ...}, measured over all steps but the first five."""
import json
import os
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

shape = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(42)
drop = shape.get("dropout", 0.0)
model = GPT2LMHeadModel(GPT2Config(
    vocab_size=shape["vocab"], n_positions=shape["positions"], n_embd=shape["width"], n_layer=shape["layers"],
    n_head=shape["heads"], resid_pdrop=drop, embd_pdrop=drop, attn_pdrop=drop), )
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
batch, length, steps = shape["batch"], shape["positions"], shape["steps"]
bf16 = shape.get("dtype") == "bf16"
began = 0.0
for step in range(steps):
    if step == 5:
        began = time.perf_counter()
    ids = torch.randint(0, shape["vocab"], (batch, length))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
print(json.dumps({"tokens_per_s": (steps - 5) * batch * length / (time.perf_counter() - began)}))
