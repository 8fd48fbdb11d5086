# SPDX-License-Identifier: Apache-2.0
"""What bench/run and the bars share: the base of a bar, checks, and processes that answer line by line.

A bar is measured in pairs: each is one measurement of ours and one of the peer's, in turns. It is
judged by checks on medians over the pairs; alternatives are lists of checks, of which one must hold."""
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
RIVALS = ROOT / "bench" / "rivals"


class Absent(Exception):
    """The peer is not to be had here; the reason is its text."""


class Tools:
    """What a bar may use: our programs, the peers' Python, a folder of its own."""

    def __init__(self, name):
        self.name = name
        self.root = ROOT
        self.bin = pathlib.Path(os.environ.get("COLOPHON_BIN", ROOT / "build" / "release" / "bin"))
        self.colophon = self.bin / "colophon"
        self.folder = ROOT / "build" / "bench" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.threads = len(os.sched_getaffinity(0))
        self.n_servers = 0

    def tuned(self):
        """The environment in which OpenMP peers are at their best: as many threads, an allocator that keeps."""
        return {"OMP_NUM_THREADS": str(self.threads),
                "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=8000000000"}

    def run(self, *command, env=None):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              env={**os.environ, **(env or {})})
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} exits {done.returncode}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def python(self, script, *arguments):
        """A command that runs a script in the peers' environment, made first if need be."""
        return [ROOT / "tests" / "peers" / "run", script, *arguments]

    def serve(self, *command, env=None):
        self.n_servers += 1
        return Server([str(c) for c in command], self.folder / f"server-{self.n_servers}.log", env)

    def peer_folder(self, name):
        base = os.environ.get("COLOPHON_PEERS")
        folder = pathlib.Path(base, name) if base else None
        if folder is None or not folder.exists():
            raise Absent(f"the peer is taken from $COLOPHON_PEERS/{name}, which is not there")
        return folder

    def compile(self, source, out, libraries, package=None):
        """Builds a rival; package: what apt may install when it does not build."""
        command = ["cc", "-O2", "-std=gnu17", source, "-o", out, *libraries]
        for attempt in (0, 1):
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
            if done.returncode == 0:
                return out
            if attempt or package is None or os.geteuid() or not shutil.which("apt-get"):
                break
            subprocess.run(["apt-get", "install", "-y", package], capture_output=True)
        raise Absent(f"{source.name} does not build here{f' (wants {package})' if package else ''}: "
                     f"{done.stderr.strip().splitlines()[0]}")


class Server:
    """A process that answers each line with a line of JSON, so that it can be measured in turns."""

    def __init__(self, command, log, env=None):
        self.command, self.log = command, log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=open(log, "w"), env={**os.environ, **(env or {})})

    def ask(self, line):
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait()
            said = pathlib.Path(self.log).read_text().strip()[-800:]
            raise RuntimeError(f"{self.command[0]} exits {self.process.returncode}: {said}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Check:
    """A median over the pairs and its bound; values are those of the pairs, for the spread."""

    def __init__(self, what, values, least=None, most=None, value=None):
        self.what, self.least, self.most = what, least, most
        self.value = statistics.median(values) if value is None else value
        self.low, self.high = min(values), max(values)

    @property
    def met(self):
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def threshold(self):
        bound = self.least if self.least is not None else self.most
        return "-" if bound is None else f"{bound:g}"


class Bar:
    """One line of `--list`. Bars of one `group` share their pairs when they are run together."""

    def __init__(self, name, title, threshold, group=None):
        self.name, self.title, self.threshold, self.group = name, title, threshold, group or name

    def prepare(self, tools):
        """Once, before the pairs: builds inputs, starts processes; what it returns is the state."""

    def pair(self, tools, state, ours_first):
        """One measurement of both: a dictionary of figures, among them `line`, a sentence."""
        raise NotImplementedError

    def close(self, state):
        """Ends what prepare began."""

    def judge(self, pairs):
        """Alternatives: lists of checks. The first check of the first one is the bar's figure."""
        raise NotImplementedError

    def notes(self, pairs):
        """Further lines for the reader."""
        return []


class RatioBar(Bar):
    """Ours over the peer's; subclasses give ours and peer."""
    unit = ""

    def ours(self, tools, state):
        raise NotImplementedError

    def peer(self, tools, state):
        raise NotImplementedError

    def pair(self, tools, state, ours_first):
        if ours_first:
            ours, peer = self.ours(tools, state), self.peer(tools, state)
        else:
            peer, ours = self.peer(tools, state), self.ours(tools, state)
        return {"ours": ours, "peer": peer, "line": f"ours {ours:.4g}, peer {peer:.4g} {self.unit}"}

    def judge(self, pairs):
        return [[Check("ours / peer", [p["ours"] / p["peer"] for p in pairs], least=self.threshold)]]

    def notes(self, pairs):
        ours, peer = (statistics.median(p[k] for p in pairs) for k in ("ours", "peer"))
        return [f"ours {ours:.5g}, peer {peer:.5g} {self.unit}"]


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))
