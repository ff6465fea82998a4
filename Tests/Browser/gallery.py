"""Makes a repository that has something for every page: runs with curves and files, data, models in stages, deliveries.

    gallery.py DIR

DIR/work is the repository, DIR/remote.git the remote whose runner delivers. `git-ml` of the PATH is used.
"""

import os
import pathlib
import subprocess
import sys

HOSTILE = "<script>document.title='owned'</script>"
TRAIN = r'''
import json, math, os, pathlib, random, struct, sys, zlib
import yaml_less as config
depth, rate, kind = config.depth, config.rate, config.kind
random.seed(f"{depth}{rate}{kind}")
goal = 0.86 + depth / 120 - abs(rate - 0.08) / 2 + (0.02 if kind == "gbm" else 0)
with open(os.environ["GIT_ML_RUN"] + "/metrics.jsonl", "a") as log:
    for step in range(1, 201):
        far = 1 - math.exp(-step * rate / 3)
        log.write(json.dumps({"step": step, "loss": round(0.7 * (1 - far * goal) + random.gauss(0, .012), 5),
                              "val/auc": round(0.5 + far * (goal - 0.5) + random.gauss(0, .004), 5)}) + "\n")
metrics = {"auc": round(goal + random.gauss(0, .002), 4), "log_loss": round(0.9 - goal * 0.75, 4), "latency_ms": round(2 + depth * .7, 1)}
pathlib.Path("metrics.json").write_text(json.dumps(metrics))
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path("models/churn.bin").write_text(f"a model of depth {depth}, rate {rate}, {kind}\n" * 400)
pathlib.Path("plots").mkdir(exist_ok=True)
pathlib.Path("plots/report.html").write_text(f"<h1>Report</h1><p>auc {metrics['auc']}</p><script>parent.document.title = 'owned'</script>")
pathlib.Path("plots/errors.csv").write_text("class,count\nleft,12\nstayed,7\n")
def chunk(name, data): return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
size, rows = 240, []
for y in range(size):
    rows.append(b"\0" + b"".join(bytes((int(255 * x / size), int(160 * y / size), int(255 * goal * (1 - x / size)))) for x in range(size)))
pathlib.Path("plots/surface.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))
print(f"training a {kind} of depth {depth} at {rate}")
for epoch in range(1, 9): print(f"epoch {epoch}/8  loss {0.7 - epoch * .05:.3f}")
print("done:", metrics)
'''
CONFIG = "import re\ntext = open('params.yaml').read()\n" + "".join(
    f"{name} = {kind}(re.search(r'{name}: (.+)', text).group(1))\n"
    for name, kind in (("depth", "int"), ("rate", "float"), ("kind", "str")))
SETTINGS = """version: 1
models:
  churn: {path: models/churn.bin, description: Tells which customers are about to leave.}
  forecast: {path: models/forecast.bin, description: Demand of the next seven days.}
stages:
  staging: {deploy: {to: command, run: [sh, -c, "true"]}}
  prod:
    gate:
      - metrics.auc >= 0.9
    deploy: {to: command, run: [sh, -c, "echo rolled out"]}
"""


def make(top, names=None):
    """Makes the repository, of the runs only those of some names where they are given, and returns its folder."""
    top = pathlib.Path(top)
    work = top / "work"

    def sh(line, folder=work):
        done = subprocess.run(["/bin/sh", "-ec", line], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout

    top.mkdir(parents=True, exist_ok=True)
    sh("git init -q --bare -b main remote.git && git init -q -b main work", top)
    sh("git remote add origin ../remote.git && git ml init && git ml track 'data/*' 'models/**'")
    (work / "data").mkdir()
    (work / "data/customers.csv").write_text("age,months,left\n" + "".join(f"{20 + i % 50},{i % 70},{i % 2}\n" for i in range(4000)))
    (work / f"data/{HOSTILE.replace('/', '')}.csv").write_text("a\n")
    (work / "train.py").write_text(TRAIN)
    (work / "yaml_less.py").write_text(CONFIG)
    (work / "params.yaml").write_text("depth: 4\nrate: 0.05\nkind: rf\n")
    (work / "ml.yaml").write_text(SETTINGS)
    (work / ".gitignore").write_text("plots/\n__pycache__/\n")
    sh("git add -A && git commit -qm 'the data, and a way to train'")
    runs = [("forest", 4, 0.05, "rf"), ("boosted", 4, 0.08, "gbm"), ("deeper", 6, 0.08, "gbm"), ("fast", 6, 0.2, "gbm"),
            ("deepest", 9, 0.1, "gbm"), (HOSTILE, 8, 0.08, "rf")]
    runs = [run for run in runs if names is None or run[0] in names]
    for name, depth, rate, kind in runs:
        (work / "params.yaml").write_text(f"depth: {depth}\nrate: {rate}\nkind: {kind}\n")
        sh(f"""git ml run --name "{name}" -- {sys.executable} train.py""")
        if name in ("boosted", "deeper"):
            sh(f"git add -A && git commit -qm 'a {name} model'")
            sh(f"git ml register churn && git ml stage churn {'staging' if name == 'boosted' else 'prod'}")
    best = "deepest" if names is None else "deeper"
    sh(f"""git ml tag --run {best} "owner={HOSTILE}" && git ml note {best} -m "the best so far" """)
    sh("git push -q origin main --tags")
    sh("git ml runner --once --wait --repo ../remote.git --state ../state && git fetch -q && git ml sync")
    return work


if __name__ == "__main__":
    print(make(sys.argv[1]))
