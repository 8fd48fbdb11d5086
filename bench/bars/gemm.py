# SPDX-License-Identifier: Apache-2.0
"""Matrix products as the training step has them: share of the attainable peak, and against the better of
oneDNN and PyTorch (each by its fastest way: weights as they lie, packed beforehand, given output).

Shapes MxNxK of machine.md 2 and the head's weight gradient; all threads of this machine."""
import statistics

from frame import RIVALS, Bar, Check, geometric_mean

CASES = ["gemm:forward:1024x768x768", "gemm:forward:1024x3072x768", "gemm:forward:1024x768x3072",
         "gemm:head:1024x50257x768", "gemm:forward:4096x768x768", "gemm:forward:256x256x256",
         "gemm:head-dw:50257x768x1024"]
SECONDS = "0.3"


class Gemm(Bar):
    def __init__(self, dtype, rival):
        bounds = "0.97 of the better of oneDNN and PyTorch, no shape under 0.9" if rival else \
            "0.85 of the attainable peak, no shape under 0.75; or 1.1 x the better rival"
        super().__init__(f"gemm-{dtype}-rival" if rival else f"gemm-{dtype}", f"{dtype} products: {bounds}",
                         0.97 if rival else 0.85, f"gemm-{dtype}")
        self.dtype, self.rival = dtype, rival

    def prepare(self, tools):
        onednn = tools.compile(RIVALS / "onednn_gemm.c", tools.folder / "onednn_gemm", ["-ldnnl"], "libdnnl-dev")
        ours = tools.serve(tools.bin / "kernels-bench", "--arith", self.dtype, "--threads", tools.threads,
                           "--seconds", SECONDS, "--json", "-")
        return {"ours": ours, "oneDNN": tools.serve(onednn, self.dtype, SECONDS, env=tools.tuned()),
                "PyTorch": tools.serve(*tools.python(RIVALS / "torch_gemm.py", self.dtype, SECONDS),
                                       env=tools.tuned())}

    def close(self, state):
        for server in state.values():
            server.close()

    @staticmethod
    def ask_ours(state, case):
        state["ours"].ask("peak")
        row = state["ours"].ask(case)[0]
        return row["rate"], row["share"]

    @staticmethod
    def ask_rivals(state, case):
        ways = [(row["rate"], f"{who} {row['name']}") for who in ("oneDNN", "PyTorch")
                for row in state[who].ask(case)]
        return max(ways)

    def pair(self, tools, state, ours_first):
        figures = {}
        for case in CASES:
            if ours_first:
                (rate, share), (best, way) = self.ask_ours(state, case), self.ask_rivals(state, case)
            else:
                (best, way), (rate, share) = self.ask_rivals(state, case), self.ask_ours(state, case)
            figures[case] = {"rate": rate, "share": share, "best": best, "way": way, "ratio": rate / best}
        share, ratio = (geometric_mean([f[k] for f in figures.values()]) for k in ("share", "ratio"))
        return {"cases": figures, "share": share, "ratio": ratio,
                "line": f"{share:.3f} of the peak, {ratio:.3f} x rival"}

    def checks(self, pairs, key, what, least, least_of_one):
        medians = {case: statistics.median(p["cases"][case][key] for p in pairs) for case in CASES}
        low = min(medians, key=medians.get)
        mean = Check(f"{what}, geometric mean", [p[key] for p in pairs], least, value=geometric_mean(medians.values()))
        if least_of_one is None:
            return [mean]
        return [mean, Check(f"{what}, {low}", [p["cases"][low][key] for p in pairs], least_of_one)]

    def judge(self, pairs):
        if self.rival:
            return [self.checks(pairs, "ratio", "ours / rival", 0.97, 0.9)]
        return [self.checks(pairs, "share", "share of the peak", 0.85, 0.75),
                self.checks(pairs, "ratio", "ours / rival", 1.1, None)]

    def notes(self, pairs):
        for case in CASES:
            of = [p["cases"][case] for p in pairs]
            rate, share, best = (statistics.median(f[k] for f in of) for k in ("rate", "share", "best"))
            yield f"{case:30} {rate:8.1f} GFLOP/s {share:6.3f} of the peak; {best:8.1f} {of[-1]['way']}"


BARS = [Gemm(dtype, rival) for dtype in ("fp32", "bf16") for rival in (False, True)]
