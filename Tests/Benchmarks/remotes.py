"""Push and fetch of many objects over S3 on loopback, beside `rclone copy` to the same server; prints seconds.

GIT_ML names the binary, RCLONE the program (else the one that the tests use). OBJECTS is the number of objects (1000),
OBJECT_SIZE their size in bytes (1 MiB), RUNS how often each is measured (3). The server is `rclone serve s3`.
"""

import hashlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
RCLONE = os.environ.get("RCLONE") or shutil.which("rclone") or os.path.join(TOP, ".build", "python", "bin", "rclone")
OBJECTS = int(os.environ.get("OBJECTS", 1000))
SIZE = int(os.environ.get("OBJECT_SIZE", 1 << 20))
RUNS = int(os.environ.get("RUNS", 3))
KEYS = ("AKIDEXAMPLE", "a-secret-for-the-benchmark")


def environment(work, port):
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AWS_", "RCLONE_")) and "proxy" not in k.lower()}
    return variables | {
        "HOME": work, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com",
        "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@example.com", "GIT_ML_SHARE": os.environ.get("GIT_ML_SHARE", TOP),
        "PATH": os.path.join(work, "bin") + ":" + os.environ["PATH"], "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_REGION": "us-east-1",
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Rclone",
        "RCLONE_CONFIG_S_ENDPOINT": f"http://127.0.0.1:{port}", "RCLONE_CONFIG_S_ACCESS_KEY_ID": KEYS[0],
        "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": KEYS[1],
    }


def serve(work):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [RCLONE, "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS),
         os.path.join(work, "served")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("rclone's server did not start")


def make_repository(work, run):
    """A repository whose store holds the objects and whose one commit names them, and its bare remote."""
    repository = os.path.join(work, "work")
    run("git", "init", "-q", "-b", "main", repository)
    run("git", "init", "-q", "--bare", "-b", "main", os.path.join(work, "remote.git"))
    run("git", "remote", "add", "origin", os.path.join(work, "remote.git"), cwd=repository)
    generator = random.Random(1)
    os.makedirs(os.path.join(repository, "data"))
    for i in range(OBJECTS):
        content = generator.randbytes(SIZE)
        oid = hashlib.sha256(content).hexdigest()
        place = os.path.join(repository, ".git", "lfs", "objects", oid[:2], oid[2:4])
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, oid), "wb") as file:
            file.write(content)
        with open(os.path.join(repository, "data", f"{i}.bin"), "w") as file:
            file.write(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {SIZE}\n")
    with open(os.path.join(repository, "ml.yaml"), "w") as file:
        file.write("data:\n  remote: s3://bench/ours\n")
    run("git", "add", ".", cwd=repository)
    with open(os.path.join(repository, ".gitattributes"), "w") as file:
        file.write("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    run("git", "add", ".gitattributes", cwd=repository)
    run("git", "commit", "-qm", "data", cwd=repository)
    return repository


def measure(command, before, run, **options):
    taken = []
    for _ in range(RUNS):
        before()
        start = time.perf_counter()
        run(*command, **options)
        taken.append(time.perf_counter() - start)
    return taken


def main():
    work = tempfile.mkdtemp(prefix="git-ml-bench-")
    served = os.path.join(work, "served")
    os.makedirs(os.path.join(served, "bench"))
    os.makedirs(os.path.join(work, "bin"))
    os.symlink(GIT_ML, os.path.join(work, "bin", "git-ml"))
    server, port = serve(work)
    variables = environment(work, port)

    def run(*command, **options):
        done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout.decode()}")

    def empty(*folders):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    try:
        repository = make_repository(work, run)
        objects = os.path.join(repository, ".git", "lfs", "objects")
        usage = subprocess.run(["git-ml", "fetch", "--help"], env=variables, capture_output=True).stdout.decode()
        run("git", "ml", "init", cwd=repository)
        os.rename(repository, repository + ".whole")
        ours, theirs, copied = (os.path.join(served, "bench", "ours"), os.path.join(served, "bench", "theirs"), os.path.join(work, "copied"))
        rows = []

        def clear(name):
            # Through the server, which remembers what its folders hold.
            if os.path.isdir(os.path.join(served, "bench", name)):
                run(RCLONE, "purge", f"s:bench/{name}")

        def new_remote():
            # What was pushed before is remembered in the repository: each push is the first one of a fresh copy.
            clear("ours")
            empty(os.path.join(work, "remote.git"), repository)
            run("cp", "-al", repository + ".whole", repository)
            run("git", "init", "-q", "--bare", "-b", "main", os.path.join(work, "remote.git"))

        def new_folder(*folders):
            empty(*folders)

        push = measure(["git", "push", "-q", "origin", "main"], new_remote, run, cwd=repository)
        sent = sum(len(files) for _, _, files in os.walk(ours))
        if sent != OBJECTS:
            raise SystemExit(f"{sent} of {OBJECTS} objects were sent")
        copy = measure([RCLONE, "copy", objects, "s:bench/theirs"], lambda: clear("theirs"), run)
        copy8 = measure([RCLONE, "copy", "--transfers", "8", objects, "s:bench/theirs"], lambda: clear("theirs"), run)
        rows.append(("push", push, copy, copy8))
        if "ml fetch" in usage:
            fetch = measure(["git", "ml", "fetch"], lambda: new_folder(objects), run, cwd=repository)
            back = measure([RCLONE, "copy", "s:bench/theirs", copied], lambda: new_folder(copied), run)
            back8 = measure([RCLONE, "copy", "--transfers", "8", "s:bench/theirs", copied], lambda: new_folder(copied), run)
            if sum(len(files) for _, _, files in os.walk(objects)) < OBJECTS:
                raise SystemExit("not all objects were fetched")
            rows.append(("fetch", fetch, back, back8))
        print(f"{OBJECTS} objects of {SIZE} bytes, S3 on loopback; seconds, median of {RUNS} (best)")
        print(f"{'':8}{'git ml':>16}{'rclone copy':>16}{'with 8 at once':>16}{'ours / rclone':>16}")
        for name, a, b, c in rows:
            shown = "".join(f"{f'{statistics.median(x):.2f} ({min(x):.2f})':>16}" for x in (a, b, c))
            print(f"{name:8}{shown}{statistics.median(a) / statistics.median(b):>16.2f}")
        limit = statistics.median(rows[0][1]) / statistics.median(rows[0][2])
        print(f"push: {limit:.2f} × rclone copy (goal: at most 1.2)")
    finally:
        server.kill()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
