"""Reviewing two commits, and trying the recorded gates, in a repository with many runs; prints milliseconds.

GIT_ML names the binary. REVIEW_RUNS is the number of runs in the repository (10000), REVIEW_VERSIONS that of the registered
versions (100). Both commits have a run, a table of some MB, a model and a thousand files of code of which a hundred differ.
`user` is the processor time of the program itself, which a busy machine does not change.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_runs

GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
RUNS = int(os.environ.get("REVIEW_RUNS", 10_000))
VERSIONS = int(os.environ.get("REVIEW_VERSIONS", 100))
TIMES = int(os.environ.get("RUNS", 10))
SETTINGS = """
models:
  churn: {path: models/m.bin}
stages:
  prod:
    gate:
      - metrics.auc >= 0.5
      - metrics.auc >= current.metrics.auc - 0.01
      - metrics.auc >= best.metrics.auc - 0.05
"""


def sh(line, folder, env):
    subprocess.run(["/bin/sh", "-ec", line], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def commit(folder, env, number, auc):
    """One experiment: a tenth of the code, the table and the model differ from the one before."""
    for i in range(0, 1000, 10):
        write(f"{folder}/src/part{i // 100}/file{i}.py", "\n".join(f"x{j} = {j * number}" for j in range(50)))
    rows = "".join(f"{i},{i * number % 97},{i % 5},plan{i % 3}\n" for i in range(100_000 + number))
    write(f"{folder}/data/train.csv", "id,age,kind,plan\n" + rows)
    write(f"{folder}/models/m.bin", f"model {number}" * 1000)
    write(f"{folder}/metrics.json", json.dumps({"auc": auc, "loss": 1 - auc, **{f"m{i}": i / 10 for i in range(20)}}))
    write(f"{folder}/params.yaml", "".join(f"p{i}: {i * number}\n" for i in range(20)))
    sh(f"git add . && git commit -qm 'experiment {number}'", folder, env)


def prepare(folder, env):
    make_runs.make(folder, RUNS, 10, 10, 10, 1)
    sh("git ml init && git ml track 'data/*.csv' 'models/**'", folder, env)
    write(f"{folder}/ml.yaml", open(f"{folder}/ml.yaml").read() + SETTINGS)
    for i in range(1000):
        write(f"{folder}/src/part{i // 100}/file{i}.py", "\n".join(f"x{j} = {j}" for j in range(50)))
    commit(folder, env, 1, 0.9)
    sh("git tag -a -m x 'churn@v1.0.0' && git tag -a -m x 'churn#prod#1'", folder, env)
    for i in range(1, VERSIONS):
        write(f"{folder}/metrics.json", json.dumps({"auc": 0.8 + i / 10_000}))
        write(f"{folder}/models/m.bin", f"version {i}")
        sh(f"git add . && git commit -qm v{i} && git tag -a -m x churn@v1.{i}.0", folder, env)
    commit(folder, env, 2, 0.91)


def measure(command, folder, env):
    """Wall and user time of each of some runs, the first of which warms up."""
    walls, users = [], []
    for i in range(TIMES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        start = time.perf_counter()
        result = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
        if result.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)} ended with {result.returncode}")
        if i:
            walls.append((time.perf_counter() - start) * 1000)
            users.append((resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) * 1000)
    return walls, users


def main():
    with tempfile.TemporaryDirectory(prefix="git-ml-review-") as top:
        os.makedirs(f"{top}/bin")
        os.symlink(GIT_ML, f"{top}/bin/git-ml")
        env = {
            **os.environ, "HOME": top, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "PATH": f"{top}/bin:{os.environ['PATH']}",
        }
        folder = f"{top}/work"
        prepare(folder, env)
        print(f"{RUNS} runs, {VERSIONS} versions")
        print(f"{'':<44} {'min':>8} {'median':>8} {'max':>8} {'user':>8}")
        for name, words in [
            ("git ml --version", ["--version"]), ("git ml gate --recorded", ["gate", "churn", "prod", "--recorded"]),
            ("git ml review", ["review", "churn", "prod"]),
            ("git ml review --html", ["review", "churn", "prod", "--html", f"{top}/review.html"]),
        ]:
            walls, users = measure([GIT_ML, *words], folder, env)
            print(
                f"{name:<44} {min(walls):8.1f} {statistics.median(walls):8.1f} {max(walls):8.1f} "
                f"{statistics.median(users):8.1f}", flush=True)


main()
