"""Makes a repository with many recorded runs: commits, and notes with git's own fan-out, by git fast-import.

    make_runs.py DIR --runs 100000 [--per-commit 10] [--params 10] [--metrics 10] [--seed 1]

The event lines have the bytes that git-ml writes; the same arguments give the same repository.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time

START = 1_700_000_000


def clock(microseconds):
    seconds, rest = divmod(microseconds, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06d}Z"


def run_id(generator, microseconds):
    value = (microseconds // 1000) << 80 | 0x7 << 76 | generator.getrandbits(12) << 64 | 0x2 << 62
    return f"{value | generator.getrandbits(62):032x}"


class Runs:
    """The values of run number i, the same for every tool that is measured."""

    def __init__(self, seed, params, metrics):
        self.generator = random.Random(seed)
        self.params, self.metrics = params, metrics

    def next(self, i):
        g = self.generator
        params = {f"p{k}": g.choice(["gbm", "rf", "linear"]) if k == 0 else repr(round(g.random(), 6)) for k in range(self.params)}
        metrics = {f"m{k}": round(g.random(), 6) for k in range(self.metrics)}
        return START * 1_000_000 + i * 1_000_000, f"run-{i}", g.choice(["ann", "bob", "eve"]), params, metrics


def lines(run, started, name, user, params, metrics, code):
    text = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    head = lambda n, kind: f'{{"t":"{clock(started + n)}","run":"{run}","ev":"{kind}",'
    environment = {"python": "3.12.4", "lock": "sha256:" + "ab" * 32, "cpu": "AMD EPYC 7763 64-Core Processor", "gpu": []}
    start = {
        "name": name, "experiment": "bench", "user": user, "host": "lab1", "cmd": ["python", "train.py"], "code": code,
        "dirty": False, "left_out": [], "parent": None, "source": "cli", "env": environment,
    }
    summary = lambda value: {"last": value, "step": 0, "at": clock(started), "min": value, "max": value, "first_step": 0, "count": 1}
    end = {"status": "finished", "seconds": 12.5, "exit": 0}
    members = lambda value: text(value)[1:] if isinstance(value, dict) else text(value)
    return [
        head(0, "start") + members(start),
        head(1, "params") + '"params":' + text(dict(sorted(params.items()))) + "}",
        head(2, "metrics") + '"metrics":' + text({k: summary(v) for k, v in sorted(metrics.items())}) + "}",
        head(3, "end") + members(end),
    ]


def make(folder, runs, per_commit, params, metrics, seed):
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    commits = (runs + per_commit - 1) // per_commit
    marks = os.path.join(os.path.abspath(folder), ".git", "bench-marks")
    who = "bench <bench@example.com>"

    def fast_import(*options):
        command = ["git", "-C", folder, "fast-import", "--quiet", "--date-format=raw", *options]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    importer = fast_import(f"--export-marks={marks}")
    for i in range(commits):
        message, body = b"commit", f"lr: {i}\n".encode()
        importer.stdin.write(b"commit refs/heads/main\nmark :%d\ncommitter %s %d +0000\ndata %d\n%s\n"
                             % (i + 1, who.encode(), START + i * per_commit, len(message), message))
        importer.stdin.write(b"M 100644 inline params.yaml\ndata %d\n%s\n" % (len(body), body))
    importer.stdin.close()
    if importer.wait():
        sys.exit("fast-import failed")
    with open(marks) as file:
        ids = dict(line.split() for line in file)
    os.remove(marks)

    values, generator = Runs(seed, params, metrics), random.Random(seed + 1)
    importer = fast_import()
    importer.stdin.write(b"commit refs/notes/ml/runs\ncommitter %s %d +0000\ndata 4\nruns\n" % (who.encode(), START + runs))
    for i in range(commits):
        code, note = ids[f":{i + 1}"], []
        for number in range(i * per_commit, min(runs, (i + 1) * per_commit)):
            started, name, user, p, m = values.next(number)
            note += lines(run_id(generator, started), started, name, user, p, m, code)
        body = "".join(line + "\n" for line in sorted(note, key=str.encode)).encode()
        importer.stdin.write(b"N inline %s\ndata %d\n%s\n" % (code.encode(), len(body), body))
    importer.stdin.close()
    if importer.wait():
        sys.exit("fast-import failed")
    subprocess.run(["git", "-C", folder, "reset", "-q", "--hard"], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--per-commit", type=int, default=10)
    parser.add_argument("--params", type=int, default=10)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    make(given.folder, given.runs, given.per_commit, given.params, given.metrics, given.seed)
