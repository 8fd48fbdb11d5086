# SPDX-License-Identifier: Apache-2.0
"""Two ranks of one thread against one rank of two threads: the same training, fp32, T 256, two slots,
GPT-2's layers with the vocabulary of the sample. Ranks share memory; both runs end with the same digest."""
import json
import shutil

from frame import Bar, Check


class Ranks(Bar):
    def prepare(self, tools):
        sample = tools.root / "build" / "quickstart"
        if not (sample / "tokens" / "colophon.json").exists():
            tools.run(tools.root / "quickstart", "build/quickstart")
        return sample

    @staticmethod
    def train(tools, sample, ranks, threads):
        out = tools.folder / "model"
        for leftover in (out, tools.folder / "model.run"):
            shutil.rmtree(leftover, ignore_errors=True)
        return json.loads(tools.run(
            tools.colophon, "train", "gpt2", "--corpus", sample / "corpus", "--no-revocations", "--tokenizer",
            sample / "tokenizer", "--tokens", sample / "tokens", "--out", out, "--positions", "256", "--batch", "4",
            "--accumulate", "2", "--steps", "4", "--dropout", "0", "--save-every", "0", "--arith", "fp32",
            "--slots", "2", "--ranks", ranks, "--threads", threads, "--json", "--quiet"))

    def pair(self, tools, state, ours_first):
        got = {}
        for ranks in (2, 1) if ours_first else (1, 2):
            got[ranks] = self.train(tools, state, ranks, 2 // ranks)
        if got[1]["digest"] != got[2]["digest"]:
            raise RuntimeError(f"two ranks make {got[2]['digest']}, one {got[1]['digest']}")
        two, one = got[2]["tokens_per_s"], got[1]["tokens_per_s"]
        return {"ratio": two / one, "line": f"two ranks {two:.1f}, one {one:.1f} tokens/s"}

    def judge(self, pairs):
        return [[Check("two ranks / one of two threads", [p["ratio"] for p in pairs], least=self.threshold)]]

    def notes(self, pairs):
        return [pairs[-1]["line"]]


BARS = [Ranks("ranks", "fp32, T 256, --slots 2: two ranks of one thread 0.9 x one rank of two threads", 0.9)]
