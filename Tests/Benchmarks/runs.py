"""Reading runs: the index and queries, and the same questions to MLflow's local stores and DVC; prints milliseconds.

GIT_ML names the binary; PEERS a folder with `python3` (MLflow installed) and `dvc`. RUNS_INDEXED is the number of runs in
our repository (100000), RUNS_PEERS that in the peers' (500; ours is measured with as many too). A peer that is not
installed is left out.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_runs

GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")
INDEXED = int(os.environ.get("RUNS_INDEXED", 100_000))
PEER_RUNS = int(os.environ.get("RUNS_PEERS", 500))
TIMES = int(os.environ.get("RUNS", 10))
FILTER, SORT = "metrics.m0 > 0.9 and metrics.m1 > 0.9", "metrics.m2"

MLFLOW_FILL = """
import json, sys, time
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("bench")
for line in sys.stdin:
    started, name, params, metrics = json.loads(line)
    run = client.create_run(experiment, start_time=started // 1000, run_name=name)
    client.log_batch(run.info.run_id, [Metric(k, v, started // 1000, 0) for k, v in metrics.items()],
                     [Param(k, v) for k, v in params.items()])
    client.set_terminated(run.info.run_id)
"""
MLFLOW_ASK = """
import sys, time
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
start = time.perf_counter()
runs = mlflow.search_runs(experiment_names=["bench"], filter_string=sys.argv[2], order_by=[sys.argv[3] + " DESC"], max_results=100)
print(len(runs), (time.perf_counter() - start) * 1000)
"""


def milliseconds(command, times=TIMES, before=None, **options):
    taken = []
    for i in range(times + (1 if times > 1 else 0)):
        if before:
            before(i)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        taken.append((time.perf_counter() - start) * 1000)
    return taken[1:] if times > 1 else taken


def show(title, rows):
    print(f"\n{title:<64} {'min':>9} {'median':>9} {'max':>9}")
    for name, times in rows:
        print(f"{name:<64} {min(times):9.1f} {statistics.median(times):9.1f} {max(times):9.1f}", flush=True)


def environment(home):
    return {
        **os.environ, "HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }


def ours(folder, runs, env):
    """Cold index, one run more, the filter; each a whole process."""
    make_runs.make(folder, runs, 10, 10, 10, 1)
    options = {"cwd": folder, "env": env}
    latest = [GIT_ML, "runs", "--all", "--limit", "1"]
    remove = lambda _: shutil.rmtree(f"{folder}/.git/ml", ignore_errors=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, text=True, capture_output=True, **options).stdout.strip()
    counter = iter(range(10_000_000, 20_000_000))

    def one_more(_):
        """Adds a run to HEAD's note, as a commit hook does."""
        note = subprocess.run(["git", "notes", "--ref=ml/runs", "show", head], check=True, capture_output=True, **options).stdout
        started = make_runs.START * 1_000_000 + next(counter) * 1_000_000
        new = make_runs.lines(f"{started // 1000:012x}7000a000000000000000", started, "new", "ann", {"p0": "x"}, {"m0": 0.5}, head)
        body = b"".join(line + b"\n" for line in sorted(note.splitlines() + [line.encode() for line in new]) if line)
        subprocess.run(["git", "notes", "--ref=ml/runs", "add", "-f", "-F", "-", head], input=body, check=True,
                       stderr=subprocess.DEVNULL, **options)

    ask = [GIT_ML, "runs", "--all", "--filter", FILTER, "--sort", SORT, "--desc", "--limit", "100"]
    label = f"git-ml, {runs} runs: "
    return [
        (label + "cold index", milliseconds(latest, 3, remove, **options)),
        (label + "latest run, nothing new", milliseconds(latest, **options)),
        (label + "latest run, one is new", milliseconds(latest, before=one_more, **options)),
        (label + "two metrics filter, a third sorts", milliseconds(ask, **options)),
        (label + "one parameter filters", milliseconds(
            [GIT_ML, "runs", "--all", "--filter", "params.p0 = 'gbm'", "--limit", "100"], **options)),
        (label + "along the history", milliseconds([GIT_ML, "log", "--limit", "50"], **options)),
        ("git-ml --version", milliseconds([GIT_ML, "--version"], **options)),
    ]


def merging(top, env):
    """Two clones that each have 10,000 runs of their own: one takes in what it has fetched from the other."""
    for seed, name in ((1, "a"), (2, "b")):
        make_runs.make(f"{top}/{name}", 10_000, 10, 10, 10, seed)
    options = {"cwd": f"{top}/a", "env": env}
    git = lambda *words: subprocess.run(["git", *words], check=True, text=True, capture_output=True, **options).stdout.strip()
    git("remote", "add", "origin", f"{top}/b")
    own = git("rev-parse", "refs/notes/ml/runs")

    def apart(_):
        shutil.rmtree(f"{top}/a/.git/ml", ignore_errors=True)
        git("update-ref", "refs/notes/ml/runs", own)
        git("fetch", "-q", "origin", "+refs/notes/ml/*:refs/notes/ml-remotes/origin/*")

    latest = [GIT_ML, "runs", "--all", "--limit", "1"]
    return [("10,000 runs here, 10,000 fetched: united, and the index built", milliseconds(latest, 5, apart, **options))]


def mlflow(top, name, address, env):
    python = f"{PEERS}/python3"
    if not os.path.exists(python) or subprocess.run([python, "-c", "import mlflow"], capture_output=True, env=env).returncode:
        return []
    values = make_runs.Runs(1, 10, 10)
    lines = []
    for i in range(PEER_RUNS):
        started, run_name, _, params, metrics = values.next(i)
        lines.append(json.dumps([started, run_name, params, metrics]))
    subprocess.run([python, "-c", MLFLOW_FILL, address], input="\n".join(lines), text=True, check=True, cwd=top, env=env,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = [python, "-c", MLFLOW_ASK, address, FILTER, SORT]
    inside = []
    for _ in range(4):
        printed = subprocess.run(command, check=True, text=True, cwd=top, env=env, capture_output=True).stdout.split()
        inside.append(float(printed[-1]))
    label = f"MLflow on {name}, {PEER_RUNS} runs: the same filter"
    return [(label + ", whole process", milliseconds(command, 3, cwd=top, env=env)), (label + ", query only", inside[1:])]


def dvc(folder, env):
    """One commit a run, as DVC has it."""
    program = f"{PEERS}/dvc"
    if not os.path.exists(program):
        return []
    options = {"cwd": folder, "env": env}
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True, env=env)
    subprocess.run([program, "init", "-q"], check=True, stdout=subprocess.DEVNULL, **options)
    with open(f"{folder}/dvc.yaml", "w") as file:
        file.write("params:\n- params.yaml\nmetrics:\n- metrics.json\n")
    values = make_runs.Runs(1, 10, 10)
    for i in range(PEER_RUNS):
        _, _, _, params, metrics = values.next(i)
        with open(f"{folder}/params.yaml", "w") as file:
            file.writelines(f"{key}: {value}\n" for key, value in params.items())
        with open(f"{folder}/metrics.json", "w") as file:
            json.dump(metrics, file)
        subprocess.run(["git", "add", "."], check=True, **options)
        subprocess.run(["git", "commit", "-q", "--no-verify", "-m", "x"], check=True, **options)
    return [
        (f"dvc exp show, {PEER_RUNS} commits", milliseconds([program, "exp", "show", "--all-commits", "--json"], 1, **options)),
        (f"dvc metrics show, {PEER_RUNS} commits", milliseconds([program, "metrics", "show", "--all-commits", "--json"], 1, **options)),
    ]


def main():
    top = tempfile.mkdtemp(prefix="git-ml-bench.")
    env = environment(top)
    show("reading runs, ms", ours(f"{top}/large", INDEXED, env))
    show("the same number of runs, ms", ours(f"{top}/small", PEER_RUNS, env)[:4])
    show("merging, ms", merging(top, env))
    for rows in (
        lambda: mlflow(top, "SQLite", f"sqlite:///{top}/mlflow.db", env),
        lambda: mlflow(top, "files", f"file://{top}/mlruns", env),
        lambda: dvc(f"{top}/dvc", env),
    ):
        rows = rows()
        if rows:
            show("peers, ms", rows)
    shutil.rmtree(top)


main()
