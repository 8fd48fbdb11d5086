#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch_gemm.py fp32|bf16 SECONDS - the rival of the GEMM bars: PyTorch's products of the same shapes.

Reads lines "gemm:PASS:MxNxK" as kernels-bench takes them and answers each with one line: an array of
{"name", "rate" in GFLOP/s}, one for each way that this build has: mm, linear, and weights packed beforehand."""
import json
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F

dtype = torch.bfloat16 if sys.argv[1] == "bf16" else torch.float32
seconds = float(sys.argv[2])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.set_grad_enabled(False)


def stored(rows, columns, turned):
    m = torch.rand(columns, rows) if turned else torch.rand(rows, columns)
    m = (m - 0.5).to(dtype)
    return m.t() if turned else m


def prepacked(a, b):
    """Ways with the weight in the library's own form; what this build or type lacks is left out."""
    weight = b.t().contiguous()  # [out, in]
    if dtype == torch.float32 and torch.backends.mkl.is_available():
        pack = torch.ops.mkl._mkl_reorder_linear_weight(weight, a.shape[0])
        yield "mkl, prepacked", lambda: torch.ops.mkl._mkl_linear(a, pack, weight, None, a.shape[0])
    pack_any = torch.ops.mkldnn._reorder_linear_weight(weight, a.shape[0])
    yield "onednn, prepacked", lambda: torch.ops.mkldnn._linear_pointwise(a, pack_any, None, "none", [], "")


def ways(kind, m, n, k):
    turned_a, turned_b = kind in ("dw", "head-dw"), kind in ("dx", "head")
    a, b = stored(m, k, turned_a), stored(k, n, turned_b)
    yield "mm", lambda: torch.mm(a, b)
    out = torch.empty(m, n, dtype=dtype)
    yield "mm, given output", lambda: torch.mm(a, b, out=out)
    if kind in ("dw", "head-dw"):
        return
    weight = b.t()
    yield "linear", lambda: F.linear(a, weight)
    packs = prepacked(a, b)
    while True:
        try:
            yield next(packs)
        except StopIteration:
            return
        except (AttributeError, RuntimeError, NotImplementedError) as why:
            print(f"torch_gemm: no prepacked weights: {str(why).splitlines()[0]}", file=sys.stderr)
            return


def rate(way, flops):
    took = []
    way()
    while len(took) < 512 and (len(took) < 3 or sum(took) < seconds):
        began = time.perf_counter()
        way()
        took.append(time.perf_counter() - began)
    return flops / statistics.median(took) * 1e-9


for line in sys.stdin:
    _, kind, size = line.strip().split(":")
    m, n, k = map(int, size.split("x"))
    rows = []
    for name, way in ways(kind, m, n, k):
        try:
            rows.append({"name": name, "rate": rate(way, 2 * m * n * k)})
        except (AttributeError, RuntimeError, NotImplementedError) as why:
            print(f"torch_gemm: {name}: {str(why).splitlines()[0]}", file=sys.stderr)
    print(json.dumps(rows), flush=True)
