# SPDX-License-Identifier: Apache-2.0
"""GPT-2 124M, B 4, T 64, against llm.c's CPU path ($COLOPHON_PEERS/llm.c), compiled as its Makefile says,
with OpenMP; its weights are random, as ours are."""
import shlex

from frame import RIVALS, Absent, RatioBar


class Llmc(RatioBar):
    unit = "tokens/s"

    def prepare(self, tools):
        folder, program = tools.peer_folder("llm.c"), tools.folder / "llmc_steps"
        plan = tools.run("make", "-n", "-B", "-C", folder, "train_gpt2", f"BUILD_DIR={tools.folder}/build")
        lines = [line for line in plan.splitlines() if " train_gpt2.c " in line]
        if len(lines) != 1:
            raise Absent("llm.c's Makefile does not say how train_gpt2.c is compiled")
        words = shlex.split(lines[0])
        words[words.index("train_gpt2.c")] = RIVALS / "llmc_steps.c"
        words[words.index("-o") + 1] = program
        tools.run(*words, "-I", folder)
        return {"ours": tools.serve(tools.bin / "step-bench", "--arith", "default", "--seq", "64", "--threads",
                                    tools.threads, "--steps", "0", "--json"),
                "peer": tools.serve(program, tools.folder / "gpt2_124M.bin", env=tools.tuned())}

    def ours(self, tools, state):
        return state["ours"].ask(8)["tokens_per_s"]

    def peer(self, tools, state):
        return state["peer"].ask(2)["tokens_per_s"]

    def close(self, state):
        for server in state.values():
            server.close()


BARS = [Llmc("gpt2-llmc", "GPT-2 124M, B 4, T 64: 8 x llm.c's CPU path", 8)]
