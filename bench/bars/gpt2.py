# SPDX-License-Identifier: Apache-2.0
"""Training steps of GPT-2 124M at B 4 on random tokens (AdamW, clipping, no dropout) against tuned PyTorch:
tokens a second, share of the attainable peak, memory.

PyTorch runs eagerly or under torch.compile, whichever is faster in a trial before the pairs. Memory is
compared with eager PyTorch in the dtype that takes less."""
import json
import statistics
import sys

from frame import RIVALS, Absent, Bar, Check

SHAPE = {"layers": 12, "width": 768, "heads": 12, "vocab": 50257, "positions": 1024, "batch": 4}
STEPS = {64: 8, 256: 3, 1024: 1}  # of one measurement


def serve_ours(tools, arith, seq):
    return tools.serve(tools.bin / "step-bench", "--arith", arith, "--batch", SHAPE["batch"], "--seq", seq,
                       "--threads", tools.threads, "--steps", "0", "--json")


def serve_peer(tools, dtype, seq, compiled):
    shape = json.dumps({**SHAPE, "seq": seq, "dtype": dtype, "compile": compiled})
    return tools.serve(*tools.python(RIVALS / "torch_gpt2.py", shape), env=tools.tuned())


def trial(tools, dtype, seq, compiled):
    """One answer of a fresh peer; None where it does not run (torch.compile wants a compiler)."""
    server = serve_peer(tools, dtype, seq, compiled)
    try:
        return server.ask(max(2, STEPS[seq]))
    except RuntimeError as why:
        if not compiled:
            raise Absent(f"PyTorch does not run: {why}") from why
        print(f"  torch.compile does not run here: {why}", file=sys.stderr)
        return None
    finally:
        server.close()


def fastest(tools, dtypes, seq):
    """(dtype, compiled) of the fastest peer."""
    tried = {}
    for dtype in dtypes:
        for compiled in (False, True):
            answer = trial(tools, dtype, seq, compiled)
            if answer:
                tried[dtype, compiled] = answer["tokens_per_s"]
    return max(tried, key=tried.get)


class Steps(Bar):
    """figure "ratio": tokens a second against the peer's; "share": of the attainable peak."""

    def __init__(self, name, title, threshold, arith, dtypes, seq, figure):
        super().__init__(name, title, threshold, f"gpt2-{arith}-t{seq}")
        self.arith, self.dtypes, self.seq, self.figure = arith, dtypes, seq, figure

    def prepare(self, tools):
        dtype, compiled = fastest(tools, self.dtypes, self.seq)
        state = {"ours": serve_ours(tools, self.arith, self.seq),
                 "peer": serve_peer(tools, dtype, self.seq, compiled),
                 "peak": tools.serve(tools.bin / "kernels-bench", "--arith", self.arith, "--threads", tools.threads,
                                     "--json", "-"),
                 "peer is": f"PyTorch {dtype}, {'torch.compile' if compiled else 'eager'}"}
        for who in ("ours", "peer"):
            state[who].ask(1) # nobody is timed while another still starts
        return state

    def close(self, state):
        for part in ("ours", "peer", "peak"):
            state[part].close()

    def pair(self, tools, state, ours_first):
        got = {}
        for who in ("ours", "peer") if ours_first else ("peer", "ours"):
            if who == "ours":
                top = state["peak"].ask("peak")[-1]["rate"]
            got[who] = state[who].ask(STEPS[self.seq])
        ours, peer = got["ours"]["tokens_per_s"], got["peer"]["tokens_per_s"]
        share = got["ours"]["gflops"] / top
        return {"ours": got["ours"], "peer": got["peer"], "ratio": ours / peer, "share": share,
                "peer is": state["peer is"],
                "line": f"ours {ours:.1f}, peer {peer:.1f} tokens/s; {share:.3f} of the peak"}

    def judge(self, pairs):
        share = [Check("share of the attainable peak", [p["share"] for p in pairs], least=0.75)]
        if self.figure == "share":
            return [share]
        ratio = [Check("tokens/s, ours / peer", [p["ratio"] for p in pairs], least=self.threshold)]
        return [ratio, share] if self.arith != "default" and self.seq != 64 else [ratio]

    def notes(self, pairs):
        def median(who, key):
            return statistics.median(p[who][key] for p in pairs)
        parts = ", ".join(f"{part} {median('ours', part + '_s'):.3f}"
                          for part in ("forward", "backward", "norm", "update"))
        return [f"ours ({pairs[0]['ours']['arith']}) {median('ours', 'tokens_per_s'):.1f} tokens/s, peer "
                f"({pairs[0]['peer is']}) {median('peer', 'tokens_per_s'):.1f}",
                f"ours: a step {median('ours', 'step_s'):.3f} s: {parts}; the peer's {median('peer', 'step_s'):.3f} s"]


class Memory(Bar):
    """Peak resident memory beyond 16 bytes a parameter, of fresh processes."""

    def __init__(self, seq):
        super().__init__(f"gpt2-memory-t{seq}", f"GPT-2 124M, T {seq}: memory beyond 16 bytes a parameter at most "
                         "0.6 of eager PyTorch's; foretold within 1 %", 0.6)
        self.seq = seq

    def prepare(self, tools):
        return min(("fp32", "bf16"), key=lambda dtype: trial(tools, dtype, self.seq, False)["peak_bytes"])

    def pair(self, tools, dtype, ours_first):
        def one(server):
            try:
                return server.ask(1)
            finally:
                server.close()
        got = {}
        for who in ("ours", "peer") if ours_first else ("peer", "ours"):
            got[who] = one(serve_ours(tools, "default", self.seq) if who == "ours" else
                           serve_peer(tools, dtype, self.seq, False))
        state = 16 * got["ours"]["parameters"]
        ours, peer = (got[who]["peak_bytes"] - state for who in ("ours", "peer"))
        return {"ratio": ours / peer, "off": abs(got["ours"]["peak_bytes"] / got["ours"]["foretold_bytes"] - 1),
                "ours": ours, "peer": peer, "dtype": dtype, "arith": got["ours"]["arith"],
                "line": f"beyond 16 bytes a parameter: ours {ours / 1e9:.3f}, peer {peer / 1e9:.3f} GB"}

    def judge(self, pairs):
        return [[Check("ours / peer, beyond 16 bytes a parameter", [p["ratio"] for p in pairs], most=0.6),
                 Check("peak against what was foretold: off by", [p["off"] for p in pairs], most=0.01)]]

    def notes(self, pairs):
        ours, peer = (statistics.median(p[who] for p in pairs) / 1e9 for who in ("ours", "peer"))
        return [f"ours ({pairs[0]['arith']}) {ours:.3f} GB, PyTorch ({pairs[0]['dtype']}, eager) {peer:.3f} GB"]


def steps(dtype, seq):
    least = 1.1 if seq == 64 else 1.2
    return Steps(f"gpt2-{dtype}-t{seq}", f"GPT-2 124M, {dtype}, T {seq}: {least} x tuned PyTorch"
                 + ("" if seq == 64 else ", or 0.75 of the attainable peak"), least, dtype, [dtype], seq, "ratio")


def share(dtype, seq):
    return Steps(f"gpt2-{dtype}-peak-t{seq}", f"GPT-2 124M, {dtype}, T {seq}: share of the attainable peak", 0.75,
                 dtype, [dtype], seq, "share")


BARS = [steps(dtype, seq) for dtype in ("fp32", "bf16") for seq in (64, 256, 1024)]
BARS += [share(dtype, seq) for dtype in ("fp32", "bf16") for seq in (256, 1024)]
BARS += [Steps("gpt2-best-t256", "GPT-2 124M, T 256: the default arithmetic 1.2 x PyTorch's better dtype", 1.2,
               "default", ["fp32", "bf16"], 256, "ratio"), Memory(256), Memory(1024)]
