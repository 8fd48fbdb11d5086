# SPDX-License-Identifier: Apache-2.0
"""Tokens a second of training the sample's model, against PyTorch on the same processors.

The same shape, batch, data and optimizer (AdamW, clipping, dropout); PyTorch as its own best: tuned allocator,
as many threads as processors, fused AdamW, scaled-dot-product attention, fp32."""
import json
import shutil

from frame import RIVALS, RatioBar

SHAPE = {"layers": 4, "width": 128, "heads": 4, "positions": 128, "batch": 8, "vocab": 2000, "dropout": 0.1}


class FirstTrain(RatioBar):
    unit = "tokens/s"

    def prepare(self, tools):
        sample = tools.root / "build" / "quickstart"
        if not (sample / "tokens" / "colophon.json").exists():
            tools.run(tools.root / "quickstart", "build/quickstart")
        return sample, tools.serve(*tools.python(RIVALS / "torch_gpt2.py", json.dumps(SHAPE)), env=tools.tuned())

    def ours(self, tools, state):
        sample, out = state[0], tools.folder / "model"
        for leftover in (out, tools.folder / "model.run"):
            shutil.rmtree(leftover, ignore_errors=True)
        answer = tools.run(tools.colophon, "train", "gpt2", "--corpus", sample / "corpus", "--no-revocations",
                           "--tokenizer", sample / "tokenizer", "--tokens", sample / "tokens", "--out", out,
                           "--layers", SHAPE["layers"], "--width", SHAPE["width"], "--heads", SHAPE["heads"],
                           "--positions", SHAPE["positions"], "--batch", SHAPE["batch"], "--steps", "60",
                           "--dropout", SHAPE["dropout"], "--lr", "2e-3", "--seed", "42", "--save-every", "0",
                           "--arith", "fp32", "--threads", tools.threads, "--json", "--quiet")
        return json.loads(answer)["tokens_per_s"]

    def peer(self, tools, state):
        return state[1].ask(55)["tokens_per_s"]

    def close(self, state):
        state[1].close()


BARS = [FirstTrain("first-train", "training the sample's model (fp32), tokens/s against tuned PyTorch", None)]
