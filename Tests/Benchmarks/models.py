"""Listing models: `git ml models` beside `gto show` on the same repositories; prints milliseconds.

GIT_ML names the binary; PEERS a folder with `gto`. TAGS is a list of numbers of tags (2000 10000); GTO is asked up to
GTO_TAGS (2000) of them, since it takes long. All tags are annotated and packed, as in a clone.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")
TAGS = [int(text) for text in os.environ.get("TAGS", "2000 10000").split()]
GTO_TAGS = int(os.environ.get("GTO_TAGS", 2000))
TIMES = int(os.environ.get("RUNS", 20))


def milliseconds(command, times=TIMES, before=None, **options):
    taken = []
    for _ in range(times + 1):
        if before:
            before()
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        taken.append((time.perf_counter() - start) * 1000)
    return taken[1:]


def show(name, times):
    print(f"{name:<58} {min(times):9.1f} {statistics.median(times):9.1f} {max(times):9.1f}", flush=True)
    return statistics.median(times)


def make(folder, count, env):
    """Twenty tags a model: ten versions, and ten assignments to two stages."""
    models = count // 20
    stream = [
        f"commit refs/heads/main\nmark :{i}\ncommitter a <a@b> {1_700_000_000 + i} +0000\ndata 1\nc\n"
        + (f"from :{i - 1}\n" if i > 1 else "") + "\n"
        for i in range(1, models + 10)
    ]
    for i in range(models):
        for j in range(10):
            # GTO wants a commit of its own for each version of a model.
            rest = f"from :{i + j + 1}\ntagger a <a@b> {1_710_000_000 + i * 20 + j} +0000\ndata 2\nx\n\n"
            stream.append(f"tag model-{i}@v1.{j}.0\n{rest}")
            stream.append(f"tag model-{i}#{'prod' if j % 2 else 'staging'}#{j + 1}\n{rest}")
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True, env=env)
    subprocess.run(["git", "fast-import", "--quiet"], input="".join(stream), text=True, check=True, cwd=folder, env=env)
    subprocess.run(["git", "reset", "-q", "--hard"], check=True, cwd=folder, env=env)
    subprocess.run(["git", "pack-refs", "--all"], check=True, cwd=folder, env=env)
    subprocess.run(["git", "gc", "-q"], check=True, cwd=folder, env=env)


def main():
    top = tempfile.mkdtemp(prefix="git-ml-bench.")
    env = {**os.environ, "HOME": top, "GIT_CONFIG_NOSYSTEM": "1"}
    print(f"{'listing models, ms':<58} {'min':>9} {'median':>9} {'max':>9}")
    for count in TAGS:
        folder = f"{top}/{count}"
        make(folder, count, env)
        options = {"cwd": folder, "env": env}
        forget = lambda: shutil.rmtree(f"{folder}/.git/ml", ignore_errors=True)
        command = [GIT_ML, "models", "--json"]
        show(f"git ml models, {count} tags, nothing cached", milliseconds(command, before=forget, **options))
        ours = show(f"git ml models, {count} tags", milliseconds(command, **options))
        gto = f"{PEERS}/gto"
        if count <= GTO_TAGS and os.path.exists(gto):
            theirs = show(f"gto show, {count} tags", milliseconds([gto, "show", "--json"], max(3, TIMES // 5), **options))
            print(f"{'  times faster':<58} {'':9} {theirs / ours:9.1f}")
    show("git-ml --version", milliseconds([GIT_ML, "--version"], cwd=top, env=env))
    shutil.rmtree(top)


main()
