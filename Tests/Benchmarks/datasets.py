"""Datasets side by side with DVC, `cp -r` and `tar`, and with many files; prints tables of seconds and peak memory.

GIT_ML names the binary; PEERS a folder with `dvc`, and a `python3` that has `oxen`, in it. A peer that is not installed is left out.
What a repeat must not find is moved aside, not deleted: ext4 passes over inodes that were freed a moment ago, one by one,
so that whatever makes many files behind a large deletion is measured at several times its cost.
FILES is how many files of 4 KiB (20000), MANY what is measured for growth ("100000 1000000"), LARGE the MiB of the large file (4096).
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

FILES = int(os.environ.get("FILES", 20_000))
MANY = [int(n) for n in os.environ.get("MANY", "100000 1000000").split()]
LARGE = int(os.environ.get("LARGE", 4096))
REPEATS = int(os.environ.get("REPEATS", 3))
GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")

OXEN = """
import oxen, resource, time
repo = oxen.Repo(".")
repo.init()
start = time.perf_counter()
repo.add("data")
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Bench:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="git-ml-bench.", dir=os.environ.get("BENCH_DIR"))
        os.symlink(GIT_ML, f"{self.top}/git-ml")
        self.environment = {
            **os.environ, "PATH": f"{self.top}:{os.environ['PATH']}:{PEERS}", "HOME": self.top, "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
        }
        with open(f"{self.top}/.gitconfig", "w") as file:
            file.write("[protocol \"file\"]\n\tallow = always\n[init]\n\tdefaultBranch = main\n")

    def aside(self, *paths):
        """Takes paths away without freeing their inodes; they go when the benchmark ends."""
        trash = f"{self.top}/trash"
        os.makedirs(trash, exist_ok=True)
        for path in paths:
            if os.path.lexists(path):
                os.rename(path, f"{trash}/{len(os.listdir(trash))}")

    def has(self, program):
        return shutil.which(program, path=self.environment["PATH"]) is not None

    def run(self, *command, cwd=None, quiet=True):
        out = subprocess.DEVNULL if quiet else None
        subprocess.run(command, check=True, cwd=cwd or self.top, env=self.environment, stdout=out, stderr=out)

    def measure(self, *command, cwd=None):
        """Seconds and peak memory in MB of one command."""
        start = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=cwd or self.top, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)}: status {child.returncode}")
        return time.perf_counter() - start, usage.ru_maxrss / 1000

    def repository(self, name, *setup):
        folder = f"{self.top}/{name}"
        self.run("git", "init", "-q", "--bare", f"{folder}.git")
        self.run("git", "init", "-q", folder)
        self.run("git", "remote", "add", "origin", f"{folder}.git", cwd=folder)
        for command in setup:
            self.run(*command, cwd=folder)
        return folder


def write_files(folder, count, size=4096, seed=1):
    generator = random.Random(seed)
    for i in range(count):
        if i % 1000 == 0:
            sub = f"{folder}/{i // 1000:04d}"
            os.makedirs(sub)
        with open(f"{sub}/{i:07d}.bin", "wb") as file:
            file.write(generator.randbytes(size))


def show(title, rows):
    print(f"\n{title:<58} {'seconds':>9} {'peak MB':>9}")
    for name, (seconds, memory) in rows:
        print(f"{name:<58} {seconds:9.3f} {memory:9.0f}")
    sys.stdout.flush()


def best(action, before=None):
    results = []
    for _ in range(REPEATS):
        if before:
            before()
        results.append(action())
    return min(results)


def small_files(bench):
    source = f"{bench.top}/source"
    write_files(source, FILES)
    os.sync()
    time.sleep(0.1)
    rows = []
    clear = lambda *paths: lambda: bench.aside(*paths)
    rows.append(("cp -r", best(lambda: bench.measure("cp", "-r", source, f"{bench.top}/copy"), clear(f"{bench.top}/copy"))))
    rows.append(("tar", best(lambda: bench.measure("tar", "cf", f"{bench.top}/copy.tar", source))))
    ours = bench.repository("ours", ["git-ml", "init"])
    shutil.copytree(source, f"{ours}/data")
    objects, pointer, cache = f"{ours}/.git/ml/objects", f"{ours}/data.dataset", f"{ours}/.git/ml/cache"
    rows.append(("git ml add --dataset", best(lambda: bench.measure("git-ml", "add", "--dataset", "data", cwd=ours), clear(objects, pointer, cache))))
    rows.append(("git ml add --dataset, nothing changed", best(lambda: bench.measure("git-ml", "add", "--dataset", "data", cwd=ours))))
    plain = bench.repository("plain")
    shutil.copytree(source, f"{plain}/data")
    bench.run("git", "add", ".", cwd=plain)
    bench.run("git", "commit", "-qm", "x", cwd=plain)
    bench.run("git", "status", cwd=plain)
    rows.append(("git status", best(lambda: bench.measure("git", "status", cwd=plain))))
    bench.run("git-ml", "status", cwd=ours)
    rows.append(("git ml status", best(lambda: bench.measure("git-ml", "status", cwd=ours))))
    bench.run("git", "add", ".", cwd=ours)
    bench.run("git", "commit", "-qm", "x", cwd=ours)
    remote = f"{bench.top}/ours.git"
    rows.append(("git ml push to a folder", best(lambda: bench.measure("git-ml", "push", "--all", cwd=ours), clear(f"{remote}/lfs"))))
    bench.run("git", "push", "-q", "origin", "main", cwd=ours)

    def fresh(name, url, *setup):
        def make():
            bench.aside(f"{bench.top}/{name}")
            bench.run("git", "clone", "-q", "-b", "main", url, f"{bench.top}/{name}")
            for command in setup:
                bench.run(*command, cwd=f"{bench.top}/{name}")
        return make

    rows.append(("git ml pull in a fresh clone", best(lambda: bench.measure("git-ml", "pull", cwd=f"{bench.top}/clone"), fresh("clone", remote))))
    bench.run("diff", "-r", source, f"{bench.top}/clone/data")
    if bench.has("dvc"):
        dvc = bench.repository("dvc", ["dvc", "init", "-q"], ["dvc", "remote", "add", "-d", "store", f"{bench.top}/dvc-store"])
        shutil.copytree(source, f"{dvc}/data")
        os.sync()
        rows.append(("dvc add", bench.measure("dvc", "add", "-q", "data", cwd=dvc)))
        rows.append(("dvc status", best(lambda: bench.measure("dvc", "status", cwd=dvc))))
        bench.run("git", "add", ".", cwd=dvc)
        bench.run("git", "commit", "-qm", "x", cwd=dvc)
        bench.run("git", "push", "-q", "origin", "main", cwd=dvc)
        rows.append(("dvc push to a folder", bench.measure("dvc", "push", "-q", cwd=dvc)))
        fresh("dvc-clone", f"{bench.top}/dvc.git")()
        rows.append(("dvc pull in a fresh clone", bench.measure("dvc", "pull", "-q", cwd=f"{bench.top}/dvc-clone")))
    # Oxen comes as a Python module; its start and import are left out.
    if os.path.exists(f"{PEERS}/python3") and subprocess.run([f"{PEERS}/python3", "-c", "import oxen"], stderr=subprocess.DEVNULL).returncode == 0:
        oxen = f"{bench.top}/oxen"
        shutil.copytree(source, f"{oxen}/data")
        os.sync()
        result = subprocess.run([f"{PEERS}/python3", "-c", OXEN], cwd=oxen, env=bench.environment, check=True, capture_output=True, text=True)
        seconds, memory = result.stdout.splitlines()[-1].split()
        rows.append(("oxen add", (float(seconds), float(memory) / 1000)))
    show(f"{FILES} files of 4 KiB", rows)
    for name in os.listdir(bench.top):
        if name not in ("git-ml", ".gitconfig", "trash"):
            bench.aside(f"{bench.top}/{name}")


def many_files(bench):
    rows = []
    for count in MANY:
        ours = bench.repository(f"many{count}", ["git-ml", "init"])
        write_files(f"{ours}/data", count, size=100)
        os.sync()
        rows.append((f"{count} files of 100 bytes: git ml add --dataset", bench.measure("git-ml", "add", "--dataset", "data", cwd=ours)))
        bench.run("git-ml", "status", cwd=ours)
        rows.append((f"{count}: git ml status", bench.measure("git-ml", "status", cwd=ours)))
        stored = lambda: sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(f"{ours}/.git/ml/objects") for f in fs)
        before = stored()
        for i in range(0, count, max(1, count // 10)):
            with open(f"{ours}/data/{i // 1000:04d}/{i:07d}.bin", "wb") as file:
                file.write(os.urandom(100))
        rows.append((f"{count}: git ml add, ten changed", bench.measure("git-ml", "add", "--dataset", "data", cwd=ours)))
        print(f"{count} files, ten of them changed: {stored() - before} bytes newly stored")
        bench.aside(f"{ours}/data")
        rows.append((f"{count}: git ml checkout", bench.measure("git-ml", "checkout", cwd=ours)))
        bench.aside(ours)
    show("growth", rows)


def large_file(bench):
    ours = bench.repository("large", ["git-ml", "init"])
    path = f"{ours}/large.bin"
    generator = random.Random(2)
    with open(path, "wb") as file:
        for _ in range(LARGE):
            file.write(generator.randbytes(1 << 20))
    stored = lambda: sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(f"{ours}/.git/ml/objects") for f in fs)
    rows = [(f"{LARGE} MiB: git ml add --dataset", bench.measure("git-ml", "add", "--dataset", "large.bin", cwd=ours))]
    before = stored()
    with open(path, "r+b") as file:
        file.seek(LARGE << 19)
        file.write(generator.randbytes(1 << 20))
    rows.append((f"the same, 1 MiB changed in the middle", bench.measure("git-ml", "add", "--dataset", "large.bin", cwd=ours)))
    show("a large file", rows)
    print(f"newly stored: {stored() - before} bytes (goal: under {4 << 20})")
    shutil.rmtree(ours)


def main():
    bench = Bench()
    try:
        small_files(bench)
        large_file(bench)
        many_files(bench)
    finally:
        shutil.rmtree(bench.top, ignore_errors=True)


main()
