"""Data as files: git ml, git-lfs, DVC, plain git, and what the machine can do, side by side; prints a table of seconds.

GIT_ML names the binary; PEERS a folder with `dvc` in it. A peer that is not installed is left out. RUNS runs each (default 3),
the least of which is shown; SIZE is that of the large file in MiB (1024), FILES how many small ones (20000).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

RUNS = int(os.environ.get("RUNS", 3))
SIZE = int(os.environ.get("SIZE", 1024))
FILES = int(os.environ.get("FILES", 20_000))
GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")
SHARE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def environment(folder):
    home = os.path.join(folder, "home")
    programs = os.path.join(folder, "programs")
    os.makedirs(home, exist_ok=True)
    os.makedirs(programs, exist_ok=True)
    link = os.path.join(programs, "git-ml")
    if not os.path.lexists(link):
        os.symlink(GIT_ML, link)
    with open(os.path.join(home, ".gitconfig"), "w") as file:
        file.write("[user]\n\tname = ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    path = ":".join([programs] + ([PEERS] if PEERS else []) + [os.environ["PATH"]])
    return kept | {"HOME": home, "PATH": path, "GIT_ML_SHARE": SHARE, "GIT_CONFIG_NOSYSTEM": "1", "DVC_NO_ANALYTICS": "1"}


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.environment = environment(folder)
        self.count = 0

    def run(self, *command, cwd=None):
        subprocess.run(command, check=True, cwd=cwd or self.folder, env=self.environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def fresh(self, kind):
        """A repository in which the tool of that name is set up; files match `data/**`."""
        self.count += 1
        path = os.path.join(self.folder, f"repository-{self.count}")
        self.run("git", "init", "-q", path)
        if kind == "git ml":
            self.run("git", "ml", "init", cwd=path)
        elif kind == "git-lfs":
            self.run("git", "lfs", "install", "--local", "--force", cwd=path)
        elif kind == "dvc":
            self.run("dvc", "init", "-q", cwd=path)
        if kind in ("git ml", "git-lfs"):
            with open(os.path.join(path, ".gitattributes"), "w") as file:
                file.write("data/** filter=lfs diff=lfs merge=lfs -text\n")
        return path

    def add(self, kind, source, command):
        """The least time of a command that adds a fresh copy of `source`."""
        times = []
        for _ in range(RUNS):
            path = self.fresh(kind)
            self.run("cp", "-r", source, os.path.join(path, "data"))
            # What changed within this second has to be read again by git: nobody's files are that new.
            self.run("sync")
            time.sleep(1.1)
            times.append(self.time(command, path))
            # Nothing is deleted in between: ext4 is slow to make files where many have just been deleted.
            self.last = path
        return min(times)

    def time(self, command, cwd):
        start = time.perf_counter()
        self.run(*command, cwd=cwd)
        return time.perf_counter() - start

    def least(self, command, cwd, before=None):
        times = []
        for _ in range(RUNS + 2):
            if before:
                before()
            times.append(self.time(command, cwd))
        return min(times)


def show(title, rows):
    print(f"\n{title:<64} {'seconds':>8} {'goal':>8}")
    for name, seconds, goal in rows:
        mark = "" if goal is None else ("  ok" if seconds <= goal else "  over")
        print(f"{name:<64} {seconds:8.2f} {'' if goal is None else format(goal, '.2f'):>8}{mark}")
    sys.stdout.flush()


def large(bench, has_dvc):
    source = os.path.join(bench.folder, "large")
    os.mkdir(source)
    with open(os.path.join(source, "a.bin"), "wb") as file:
        for _ in range(SIZE):
            file.write(os.urandom(1 << 20))
    file = os.path.join(source, "a.bin")
    copy = os.path.join(bench.folder, "copy")
    hashing = bench.least(["openssl", "dgst", "-sha256", file], bench.folder)
    copying = bench.least(["cp", file, copy], bench.folder, before=lambda: os.path.exists(copy) and os.unlink(copy))
    os.unlink(copy)
    lfs = bench.add("git-lfs", source, ["git", "add", "."])
    rows = [(f"openssl dgst -sha256, {SIZE} MiB", hashing, None), ("cp", copying, None), ("git-lfs: git add", lfs, None)]
    if has_dvc:
        rows.append(("dvc add", bench.add("dvc", source, ["dvc", "add", "-q", "data"]), None))
    goal = min(lfs / 2, 3.5 * hashing)
    rows.append(("git ml: git add through the filter", bench.add("git ml", source, ["git", "add", "."]), goal))
    added = bench.add("git ml", source, ["git", "ml", "add", "data"])
    rows.append(("git ml add", added, 1.5 * hashing + copying))
    show("One large file", rows)


def small(bench, has_dvc):
    source = os.path.join(bench.folder, "small")
    for i in range(FILES):
        if i % 1000 == 0:
            folder = os.path.join(source, f"{i // 1000:03}")
            os.makedirs(folder)
        with open(os.path.join(folder, f"{i:06}.bin"), "wb") as file:
            file.write(os.urandom(4096))
    lfs = bench.add("git-lfs", source, ["git", "add", "."])
    rows = [("git-lfs: git add", lfs, None), ("git add", bench.add("git", source, ["git", "add", "."]), None)]
    if has_dvc:
        rows.append(("dvc add", bench.add("dvc", source, ["dvc", "add", "-q", "data"]), None))
        dvc = bench.least(["dvc", "status"], bench.last)
    rows.append(("git ml add", bench.add("git ml", source, ["git", "ml", "add", "data"]), lfs / 8))
    show(f"{FILES} files of 4 KiB", rows)
    bench.run("git", "commit", "-qm", "data", "--no-verify", cwd=bench.last)
    plain = bench.least(["git", "status"], bench.last)
    rows = [("git status", plain, None)] + ([("dvc status", dvc, None)] if has_dvc else [])
    goal = min(2 * plain, dvc / 15) if has_dvc else 2 * plain
    rows.append(("git ml status", bench.least(["git", "ml", "status"], bench.last), goal))
    show(f"Status of {FILES} files, nothing changed", rows)


with tempfile.TemporaryDirectory() as folder:
    bench = Bench(folder)
    has_dvc = shutil.which("dvc", path=bench.environment["PATH"]) is not None
    large(bench, has_dvc)
    small(bench, has_dvc)
