"""MLflow's API: `git ml serve` and, with the same requests, `mlflow server` in its default configuration.

GIT_ML names the binary; PEERS a folder with `mlflow` (left out when it is not installed). MLFLOW_RUNS is the number of runs
that are searched (10000), MLFLOW_PEER_RUNS that of the peer (1000), MLFLOW_CALLS the number of single metrics (2000; a tenth for
the peer).
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

GIT_ML = os.path.realpath(os.environ.get("GIT_ML") or shutil.which("git-ml"))
PEERS = os.environ.get("PEERS", "")
RUNS = int(os.environ.get("MLFLOW_RUNS", 10_000))
PEER_RUNS = int(os.environ.get("MLFLOW_PEER_RUNS", 1000))
CALLS = int(os.environ.get("MLFLOW_CALLS", 2000))


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self.connection.request(method, "/api/2.0/mlflow/" + path, json.dumps(body) if body is not None else None, headers)
        response = self.connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {response.status} {data[:300]}")
        return json.loads(data)

    def post(self, path, **body):
        return self.ask("POST", path, body)

    def run(self, name=None):
        answer = self.post("runs/create", experiment_id="0", run_name=name, start_time=int(time.time() * 1000))
        return answer["run"]["info"]["run_id"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(command, port, folder):
    """Starts a server; gives a client, and the milliseconds until the first answer."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                client = Client(port)
                client.connection.request("GET", "/health")
                client.connection.getresponse().read()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} has ended")
                time.sleep(0.002)
        yield client, (time.perf_counter() - start) * 1000, process
    finally:
        process.terminate()
        process.wait()


def memory(process):
    with open(f"/proc/{process.pid}/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmRSS"))


def timed(body):
    start = time.perf_counter()
    result = body()
    return result, (time.perf_counter() - start) * 1000


def measure(name, command, port, folder, runs, calls):
    with server(command, port, folder) as (client, start, process):
        show(name, "start to first answer", f"{start:.0f} ms")
        show(name, "memory, idle", f"{memory(process):.0f} MB")
        run = client.run("one")
        _, took = timed(lambda: [
            client.post("runs/log-metric", run_id=run, key="a", value=i, timestamp=i, step=i) for i in range(calls)])
        show(name, "log_metric, one client", f"{calls / took * 1000:.0f} requests/s")
        batches = 100 if name == "git-ml" else 10

        def log(k):
            metrics = [{"key": "b", "value": i / 7, "timestamp": i, "step": k * 1000 + i} for i in range(1000)]
            client.post("runs/log-batch", run_id=run, metrics=metrics)

        _, took = timed(lambda: [log(k) for k in range(batches)])
        show(name, "log_batch of 1,000", f"{batches * 1000 / took * 1000:.0f} metrics/s")
        path = f"metrics/get-history?run_id={run}&metric_key=b"
        answer, took = timed(lambda: client.ask("GET", path))
        show(name, f"history of {len(answer['metrics']):,} points", f"{took:.0f} ms, again {timed(lambda: client.ask('GET', path))[1]:.0f} ms")
        for i in range(runs):
            id = client.run(f"r{i}")
            client.post("runs/log-batch", run_id=id, metrics=[{"key": "m", "value": i % 997, "timestamp": 1, "step": 0}])
            client.post("runs/update", run_id=id, status="FINISHED", end_time=int(time.time() * 1000))
        question = dict(
            experiment_ids=["0"], filter="metrics.m > 500", order_by=["metrics.m DESC"], max_results=100)
        client.post("runs/search", **question)
        took = sorted(timed(lambda: client.post("runs/search", **question))[1] for _ in range(5))[2]
        show(name, f"search, filter and order, {runs:,} runs", f"{took:.0f} ms")


def show(name, what, value):
    print(f"{what:48} {name:8} {value}", flush=True)


with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        "git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first"
        " && git config user.name a && git config user.email a@b", shell=True, check=True, cwd=folder)
    port = free_port()
    measure("git-ml", [GIT_ML, "serve", "--port", str(port)], port, folder, RUNS, CALLS)

peer = os.path.join(PEERS, "mlflow")
if PEERS and os.path.exists(peer):
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        measure(
            "mlflow", [peer, "server", "--host", "127.0.0.1", "--port", str(port)], port, folder, PEER_RUNS, CALLS // 10)
