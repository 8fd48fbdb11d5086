# SPDX-License-Identifier: Apache-2.0
"""AdamW over 124 M parameters: bytes moved a second (28 a parameter) against the better of a plain and a
streaming copy of the same buffers, with normal and with denormal moments; the worse of the two counts."""
from frame import Bar, Check


class AdamW(Bar):
    def prepare(self, tools):
        return tools.serve(tools.bin / "kernels-bench", "--threads", tools.threads, "--json", "-")

    def pair(self, tools, state, ours_first):
        rows = {row["name"]: row["rate"] for row in state.ask("adamw")}  # taken in turns inside
        best = max(rows["copy"], rows["copy, streaming stores"])
        normal, denormal = rows["adamw"], rows["adamw, denormal moments"]
        return {"normal": normal / best, "denormal": denormal / best,
                "line": f"{normal:.1f}, denormal {denormal:.1f}, best copy {best:.1f} GB/s"}

    def judge(self, pairs):
        return [sorted((Check(f"bytes a second, {kind} moments / best copy", [p[kind] for p in pairs], least=0.85)
                        for kind in ("normal", "denormal")), key=lambda check: check.value)]

    def notes(self, pairs):
        return [p["line"] for p in pairs[-1:]]

    def close(self, state):
        state.close()


BARS = [AdamW("adamw", "AdamW: bytes moved a second against the best copy, denormal moments included", 0.85)]
