"""Images: git ml beside buildah and umoci + skopeo, pairwise; prints CPU seconds and bytes pushed.

GIT_ML names the binary. SIZE is the model's in MiB (1024), RUNS how often each is run (2), of which the least counts. A peer that
is not installed is left out. The registry is Debian's docker-registry on loopback; its own CPU is not counted.
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

SIZE = int(os.environ.get("SIZE", 1024))
RUNS = int(os.environ.get("RUNS", 2))
GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
SHARE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def environment(folder):
    home = os.path.join(folder, "home")
    programs = os.path.join(folder, "programs")
    for path in (home, programs):
        os.makedirs(path, exist_ok=True)
    os.symlink(GIT_ML, os.path.join(programs, "git-ml"))
    with open(os.path.join(home, ".gitconfig"), "w") as file:
        file.write("[user]\n\tname = ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return kept | {"HOME": home, "PATH": programs + ":" + os.environ["PATH"], "GIT_ML_SHARE": SHARE, "TMPDIR": folder}


class Registry:
    """A docker-registry, and the bytes that uploads have brought it."""

    def __init__(self, folder, env):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % probe.getsockname()[1]
        self.data = os.path.join(folder, "registry")
        settings = os.path.join(folder, "registry.yml")
        with open(settings, "w") as file:
            file.write(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.data}}}}}\nhttp: {{addr: '{self.host}'}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", settings], env=env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/").read()
                return
            except OSError:
                time.sleep(0.05)

    def stored(self):
        total = 0
        for folder, _, files in os.walk(os.path.join(self.data, "docker/registry/v2/blobs")):
            total += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
        return total


def cpu(command, env, cwd):
    """CPU seconds of a command and all that it started, and the seconds that it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - start
    if result.returncode:
        sys.exit(f"{command} ended with {result.returncode}: {result.stdout.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, seconds


class Bench:
    def __init__(self, folder):
        self.folder, self.env = folder, environment(folder)
        self.registry = Registry(folder, self.env)
        self.work = os.path.join(folder, "work")

    def run(self, command, cwd=None):
        return cpu(["bash", "-ec", command], self.env, cwd or self.work)

    def measure(self, command):
        """CPU seconds, seconds, and bytes that the registry has more of afterwards."""
        before = self.registry.stored()
        used, seconds = self.run(command)
        return used, seconds, self.registry.stored() - before

    def write_model(self):
        """Another model: noise, which shrinks as little as weights do."""
        with open(os.path.join(self.work, "model.bin"), "wb") as file:
            for _ in range(SIZE):
                file.write(os.urandom(1 << 20))

    def commit(self, message):
        self.run(f"git add -A && git commit -qm '{message}'")

    def prepare(self):
        os.makedirs(self.work)
        self.run("git init -q && git ml init && git ml track model.bin")
        with open(os.path.join(self.work, "ml.yaml"), "w") as file:
            file.write("version: 1\nmodels:\n  m:\n    path: model.bin\n    package: {files: [src]}\n")
        os.makedirs(os.path.join(self.work, "src"))
        with open(os.path.join(self.work, "src", "code.py"), "w") as file:
            file.write("print('hello')\n" * 2000)
        self.write_model()
        self.commit("first")

    # --- the tools: each pushes what is in the work folder now, under a name of its own

    def git_ml(self, name, *options):
        return f"git ml package m --to {self.registry.host}/bench/{name}:latest {' '.join(options)}"

    def umoci(self, name):
        layout = os.path.join(self.folder, f"umoci-{name}")
        return f"""
            test -d {layout} || umoci init --layout {layout}
            umoci new --image {layout}:latest
            umoci insert --rootless --image {layout}:latest src /app/code
            umoci insert --rootless --image {layout}:latest model.bin /app/model/model.bin
            skopeo copy -q --dest-tls-verify=false oci:{layout}:latest docker://{self.registry.host}/bench/{name}:latest
        """

    def buildah(self, name):
        with open(os.path.join(self.folder, "Containerfile"), "w") as file:
            file.write("FROM scratch\nCOPY src /app/code\nCOPY model.bin /app/model/model.bin\n")
        place = f"{self.registry.host}/bench/{name}:latest"
        options = "--storage-driver vfs --root " + os.path.join(self.folder, "buildah")
        return (f"buildah {options} bud -q --layers --isolation chroot -f {self.folder}/Containerfile -t {place} . && "
                f"buildah {options} push -q --tls-verify=false {place}")

    def first(self, make, kind):
        """The first push of a model that nobody has seen, again without a change, and with another model."""
        best = None
        for round in range(RUNS):
            name = f"{kind}-{round}".lower()
            self.write_model()
            self.commit("model")
            first = self.measure(make(name))
            again = self.measure(make(name))
            self.write_model()
            self.commit("another model")
            changed = self.measure(make(name))
            found = (first, again, changed)
            best = found if best is None else tuple(min(pair, key=lambda each: each[0]) for pair in zip(best, found))
        return best


def table(title, rows):
    print(f"\n{title:<44} {'CPU s':>8} {'seconds':>8} {'MB pushed':>10}  goal")
    for name, (used, seconds, pushed), goal in rows:
        print(f"{name:<44} {used:8.2f} {seconds:8.2f} {pushed / 1e6:10.1f}  {goal}")
    sys.stdout.flush()


def verdict(value, limit, text):
    return f"{text}: {value:.2f} of {limit:.2f}, {'ok' if value <= limit else 'over'}"


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        bench = Bench(folder)
        try:
            bench.prepare()
            hashing = min(bench.run("sha256sum model.bin")[0], bench.run("openssl dgst -sha256 model.bin")[0])
            print(f"one SHA-256 pass over the {SIZE} MiB model: {hashing:.2f} CPU seconds")
            peers = {}
            for kind, program in (("umoci", "umoci"), ("buildah", "buildah")):
                if shutil.which(program):
                    peers[kind] = bench.first(getattr(bench, kind), kind)
                else:
                    print(f"{program} is not installed: left out")
            ours = bench.first(bench.git_ml, "gitml")
            plain = bench.first(lambda name: bench.git_ml(name, "--layer", "tar"), "gitmltar")
            names = {"umoci": "umoci + skopeo", "buildah": "buildah bud + push"}
            for i, title in enumerate(("First package and push", "Again, nothing changed", "Only the model changed")):
                rows = [(names[kind], figures[i], "") for kind, figures in peers.items()]
                goal, tar_goal = "", ""
                if i == 0:
                    goal = verdict(ours[0][0], 4 * hashing, "4 hashes")
                    tar_goal = verdict(plain[0][0], 2.5 * hashing, "2.5 hashes")
                    for kind, factor in (("umoci", 3), ("buildah", 10)):
                        if kind in peers:
                            goal += "; " + verdict(ours[0][0], peers[kind][0][0] / factor, f"{factor} x less than {kind}")
                elif i == 1:
                    goal = verdict(ours[1][1], 0.060, "60 ms") + f"; {ours[1][2]} bytes of 0"
                else:
                    goal = verdict(ours[2][0], ours[0][0] / 2, "half the first") + "; " + verdict(
                        ours[2][2] / 2**20, SIZE * 1.001 + 1, "MiB")
                table(title, rows + [("git ml package", ours[i], goal), ("git ml package --layer tar", plain[i], tar_goal)])
        finally:
            bench.registry.process.kill()


main()
