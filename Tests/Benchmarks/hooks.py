"""Start-up, and what a commit takes with and without hooks, side by side; prints a table of milliseconds.

GIT_ML names the binary; PEERS a folder with `dvc` in it. A peer that is not installed is left out.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_runs

RUNS = int(os.environ.get("RUNS", 30))
LARGE = int(os.environ.get("RUNS_LARGE", 100_000))
GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")


def milliseconds(command, before=None, **options):
    times = []
    for i in range(RUNS + 3):
        if before:
            before(i)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        times.append((time.perf_counter() - start) * 1000)
    return times[3:]


def show(title, rows):
    print(f"\n{title:<52} {'min':>8} {'median':>8} {'max':>8}")
    for name, times in rows:
        print(f"{name:<52} {min(times):8.1f} {statistics.median(times):8.1f} {max(times):8.1f}")


def results(folder, environment):
    """Before each commit: a run whose metrics the commit then holds."""
    def before(i):
        script = f"echo '{{\"auc\": {i}.5}}' > metrics.json"
        run = ["git", "ml", "run", "--", "sh", "-c", script]
        subprocess.run(run, check=True, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        subprocess.run(["git", "add", "."], check=True, cwd=folder, env=environment)
    return before


LINES = """
import os
with open(os.environ["GIT_ML_RUN"] + "/metrics.jsonl", "a") as file:
    for step in range(10_000):
        file.write('{"step": %d, "loss": %r, "auc": %r}\\n' % (step, 1 / (step + 1), step / 10_000))
open("metrics.json", "w").write('{"auc": 0.9999, "n": N}')
"""


def metric_lines(folder, environment):
    """The run with its lines, and the commit that folds them into the notes."""
    runs, commits = [], []
    for i in range(max(3, RUNS // 5)):
        command = ["git", "ml", "run", "--", "python3", "-c", LINES.replace("N}", f"{i}}}")]
        for times, words in ((runs, command), (None, ["git", "add", "."]), (commits, ["git", "commit", "-q", "-m", "x"])):
            start = time.perf_counter()
            subprocess.run(words, check=True, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
            if times is not None:
                times.append((time.perf_counter() - start) * 1000)
    return [("git ml run, python writing them", runs), ("git commit", commits)]


def main():
    top = tempfile.mkdtemp(prefix="git-ml-bench.")
    os.symlink(GIT_ML, f"{top}/git-ml")
    environment = {
        **os.environ, "PATH": f"{top}:{os.environ['PATH']}:{PEERS}", "HOME": top, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }
    has = lambda program: shutil.which(program, path=environment["PATH"])

    commands = [["git", "--version"], ["git-ml", "--version"], ["git", "ml", "--version"]]
    commands += [[p, "--version"] for p in ("git-lfs", "dvc") if has(p)]
    show("start-up, ms", [(" ".join(c), milliseconds(c, env=environment)) for c in commands])

    def repository(name, *setup):
        folder = f"{top}/{name}"
        subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True, env=environment)
        for command in setup:
            subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        return folder

    def write(folder, file):
        def before(i):
            with open(f"{folder}/{file}", "w") as out:
                out.write(f'{{"auc": {i}}}\n')
            subprocess.run(["git", "add", file], check=True, cwd=folder, env=environment)
        return before

    commit = ["git", "commit", "-q", "-m", "x"]
    rows = []
    plain = repository("plain")
    rows.append(("git alone", milliseconds(commit, write(plain, "notes.txt"), cwd=plain, env=environment)))
    ours = repository("ours", ["git-ml", "init"], ["git", "add", "."])
    rows.append(("git-ml, nothing to record", milliseconds(commit, write(ours, "notes.txt"), cwd=ours, env=environment)))
    rows.append(("git-ml, an experiment recorded", milliseconds(commit, write(ours, "metrics.json"), cwd=ours, env=environment)))
    rows.append(("git-ml, the result of a run linked", milliseconds(commit, results(ours, environment), cwd=ours, env=environment)))
    if has("git-lfs"):
        lfs = repository("lfs", ["git", "lfs", "install", "--local"])
        rows.append(("git-lfs", milliseconds(commit, write(lfs, "notes.txt"), cwd=lfs, env=environment)))
    if has("dvc"):
        dvc = repository("dvc", ["dvc", "init", "-q"], ["dvc", "install"])
        rows.append(("DVC", milliseconds(commit, write(dvc, "notes.txt"), cwd=dvc, env=environment)))
    show("git commit, ms", rows)
    show("10,000 metric lines appended to a run, ms", metric_lines(ours, environment))

    large = f"{top}/large"
    make_runs.make(large, LARGE, 1, 2, 2, 1)
    rows = [("git alone", milliseconds(commit, write(large, "notes.txt"), cwd=large, env=environment))]
    for words in (["git-ml", "init"], ["git", "add", "."], commit):
        subprocess.run(words, check=True, cwd=large, env=environment, stdout=subprocess.DEVNULL)
    rows.append(("git-ml, nothing to record", milliseconds(commit, write(large, "notes.txt"), cwd=large, env=environment)))
    rows.append(("git-ml, an experiment recorded", milliseconds(commit, write(large, "metrics.json"), cwd=large, env=environment)))
    show(f"git commit in a repository of {LARGE} commits and as many runs, ms", rows)
    shutil.rmtree(top)


main()
