#!/usr/bin/env python3
"""Serves one model over HTTP: Open Inference Protocol v2, MLflow's scoring paths, Prometheus metrics.

Standard library and numpy only; copy it and own it. Everything is found relative to this file, so the same tree runs
from / in a container and from any folder:

    app/serve/server.py    this file
    app/model.json         {"name", "version", "revision", "path", "oid"}; path is relative to app/
    app/profile.json       how the training data was distributed; its edges are those of the histograms in /metrics
    app/warmup.json        a body for /invocations that is asked once before the server is ready
    app/deps               what `pip install --target` made of the requirements
    app/code               files of the team's own; serve_model.py there may define load(path) and predict(model, inputs)
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

APP = Path(__file__).resolve().parent.parent
for folder in ("deps", "code"):
    if (APP / folder).is_dir():
        sys.path.insert(0, str(APP / folder))

from loading import load
from observing import Metrics, Sampler

MAX_BODY = int(os.environ.get("MAX_REQUEST_BYTES", 64 << 20))
MAX_CONCURRENT = int(os.environ.get("MAX_CONCURRENT", 64))
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", 10))
DTYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}


class BadRequest(Exception):
    """What the client sent cannot be used; the text tells why."""

    def __init__(self, reason, status=400):
        super().__init__(reason)
        self.status = status


# --- the model --------------------------------------------------------------------------------------------------


class Model:
    """The loaded model, what it is called, and how to ask it."""

    def __init__(self, description, metrics):
        self.name = description["name"]
        self.version = str(description.get("version") or "")
        self.revision = description.get("revision") or ""
        path = (APP / description["path"]).resolve()
        if not path.exists():
            raise SystemExit(f"server.py: the model {path} is missing")
        self.loaded = load(path)
        self.columns = self.loaded.columns
        self.metrics = metrics
        self.sampler = Sampler()
        self.is_observed = False

    def predict(self, rows, columns=None):
        """Predictions for rows (a 2-d array); columns names them where the client did."""
        import numpy
        if self.columns and columns:
            missing = [name for name in self.columns if name not in columns]
            if missing:
                raise BadRequest(f"the columns {', '.join(missing[:5])} are missing")
            rows = rows[:, [list(columns).index(name) for name in self.columns]]
        try:
            result = numpy.asarray(self.loaded.predict(rows))
        except ValueError as error:
            raise BadRequest(str(error).splitlines()[0]) from error
        names = self.columns or columns or []
        if self.is_observed and rows.ndim == 2 and rows.dtype.kind in "fiub":
            self.metrics.observe(names, rows, result)
            self.sampler.take(names, rows, result)
        return result

    def warm_up(self):
        """One prediction, which imports and allocates; a request of the team's own (app/warmup.json) where there is one."""
        import numpy
        request = read_json(APP / "warmup.json")
        if request is not None:
            invocations(self, json.dumps(request).encode(), {})
        elif self.loaded.width:
            self.predict(numpy.zeros((1, self.loaded.width)))
        self.is_observed = True


def read_json(path):
    """The content of a JSON file; None where there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SystemExit(f"server.py: {path} is not JSON: {error}")


class State:
    """What all connections share."""

    def __init__(self):
        self.model = None
        self.is_ready = False
        self.is_draining = False
        self.metrics = Metrics(read_json(APP / "profile.json"))
        self.slots = threading.BoundedSemaphore(MAX_CONCURRENT)
        self.connections = 0
        self.changed = threading.Condition()


# --- requests ----------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "git-ml-serving"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1
    state = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def answer(self, respond):
        state, started = self.state, time.monotonic()
        path = self.path.split("?")[0].rstrip("/") or "/"
        label, status = "other", 500
        with state.metrics.lock:
            state.metrics.in_flight += 1
        try:
            label, status, body, headers = respond(path)
        except BadRequest as error:
            status, body, headers = error.status, {"error": str(error)}, {}
        except Exception as error:
            print(f"{self.command} {path}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            status, body, headers = 500, {"error": f"{type(error).__name__}: {error}"}, {}
        finally:
            with state.metrics.lock:
                state.metrics.in_flight -= 1
        state.metrics.count(label, status, time.monotonic() - started)
        self.reply(status, body, headers)

    def reply(self, status, body, headers):
        if isinstance(body, (dict, list)):
            body, kind = json.dumps(body).encode(), "application/json"
        else:
            body, kind = (body.encode() if isinstance(body, str) else body), "text/plain; charset=utf-8"
        headers = {"Content-Type": kind, **headers}
        model = self.state.model
        if model:
            headers |= {"X-Model-Name": model.name, "X-Model-Version": model.version, "X-Model-Revision": model.revision}
        if self.state.is_draining:
            self.close_connection = True
            headers["Connection"] = "close"
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def get(self, path):
        state, model = self.state, self.state.model
        if path in ("/v2/health/live", "/livez"):
            return path, 200, {"live": True}, {}
        if path in ("/v2/health/ready", "/readyz", "/ping", "/health"):
            ready = state.is_ready and not state.is_draining
            return path, 200 if ready else 503, {"ready": ready}, {}
        if path == "/metrics":
            return path, 200, state.metrics.text(model) if model else "", {}
        if path == "/version":
            return path, 200, model.version, {}
        if path == "/v2":
            return path, 200, {"name": "git-ml-serving", "version": "1", "extensions": ["binary_tensor_data"]}, {}
        if self.model_path(path, "/ready"):
            return "/v2/models/ready", 200 if state.is_ready else 503, {"name": model.name, "ready": state.is_ready}, {}
        if self.model_path(path, ""):
            return "/v2/models", 200, {
                "name": model.name, "versions": [model.version], "platform": "python",
                "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, model.loaded.width or -1]}],
                "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1]}]}, {}
        raise BadRequest(f"no such path: {path}", 404)

    def model_path(self, path, end):
        name, version = self.state.model.name, self.state.model.version
        return path in (f"/v2/models/{name}{end}", f"/v2/models/{name}/versions/{version}{end}")

    def post(self, path):
        body = self.read_body()
        is_infer = self.model_path(path, "/infer")
        if not is_infer and path != "/invocations":
            raise BadRequest(f"no such path: {path}", 404)
        if not self.state.is_ready:
            raise BadRequest("the model is not ready", 503)
        if not self.state.slots.acquire(blocking=False):
            return path, 503, {"error": "too many requests at once"}, {"Retry-After": "1"}
        try:
            if is_infer:
                return ("/v2/models/infer", *infer(self.state.model, body, self.headers))
            return ("/invocations", *invocations(self.state.model, body, self.headers))
        finally:
            self.state.slots.release()

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise BadRequest("send a Content-Length", 411)
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            raise BadRequest(f"the body may have {MAX_BODY} bytes at most", 413 if length > 0 else 400)
        body = self.rfile.read(length)
        if len(body) != length:
            self.close_connection = True
            raise BadRequest("the body ended early")
        return body

    def handle(self):
        state = self.state
        with state.changed:
            state.connections += 1
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            pass
        finally:
            with state.changed:
                state.connections -= 1
                state.changed.notify_all()


def parse_json(body):
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error


def infer(model, body, headers):
    """Open Inference Protocol v2, JSON and binary tensors."""
    import numpy
    length = headers.get("Inference-Header-Content-Length")
    head, binary = (body, b"") if length is None else (body[:int(length)], body[int(length):])
    request = parse_json(head)
    tensors = {}
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest("“inputs” must be a list with at least one tensor")
    for tensor in inputs:
        kind, shape = tensor.get("datatype"), tensor.get("shape")
        if kind not in DTYPES or not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise BadRequest(f"the tensor {tensor.get('name')} needs a datatype ({', '.join(DTYPES)}) and a shape")
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        try:
            if size is None:
                array = numpy.asarray(tensor["data"], dtype=DTYPES[kind])
            else:
                array, binary = numpy.frombuffer(binary[:size], dtype=DTYPES[kind]), binary[size:]
            tensors[tensor.get("name", "input")] = array.reshape(shape)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(f"the tensor {tensor.get('name')} does not fit its shape {shape}") from error
    columns = None
    if len(tensors) == 1:
        rows = next(iter(tensors.values()))
    else:
        columns = list(tensors)
        try:
            rows = numpy.column_stack([array.reshape(len(array), -1) for array in tensors.values()])
        except ValueError as error:
            raise BadRequest("the tensors have different numbers of rows") from error
    result = model.predict(rows.reshape(1, -1) if rows.ndim == 1 else rows, columns)
    kind = next((k for k, d in DTYPES.items() if numpy.dtype(d) == result.dtype), None)
    if kind is None:
        kind, data = "BYTES", [str(value) for value in result.ravel()]
    else:
        data = result.ravel().tolist()
    output = {"name": "predict", "datatype": kind, "shape": list(result.shape)}
    answer = {"model_name": model.name, "model_version": model.version, "outputs": [output]}
    if "id" in request:
        answer["id"] = request["id"]
    wants = [o.get("parameters", {}).get("binary_data") for o in request.get("outputs") or []]
    is_binary = any(wants) or (not wants and (request.get("parameters") or {}).get("binary_data_output"))
    if not is_binary or kind == "BYTES":
        output["data"] = data
        return 200, answer, {}
    raw = numpy.ascontiguousarray(result).tobytes()
    output["parameters"] = {"binary_data_size": len(raw)}
    head = json.dumps(answer).encode()
    return 200, head + raw, {
        "Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}


def invocations(model, body, headers):
    """MLflow's scoring protocol: dataframe_split, dataframe_records, inputs, instances, CSV."""
    import numpy
    columns = None
    if headers.get("Content-Type", "").split(";")[0] == "text/csv":
        import csv
        import io
        rows = list(csv.reader(io.StringIO(body.decode("utf-8", "replace"))))
        columns, rows = (rows[0], rows[1:]) if rows else ([], [])
    else:
        request = parse_json(body)
        if not isinstance(request, dict):
            raise BadRequest("the body must be a JSON object")
        if "dataframe_split" in request:
            columns, rows = request["dataframe_split"].get("columns"), request["dataframe_split"].get("data")
        elif "dataframe_records" in request:
            records = request["dataframe_records"]
            columns = list(records[0]) if records else []
            rows = [[record.get(name) for name in columns] for record in records]
        elif "inputs" in request or "instances" in request:
            rows = request.get("inputs", request.get("instances"))
            if isinstance(rows, dict):
                columns, rows = list(rows), list(zip(*rows.values()))
        else:
            raise BadRequest("one of dataframe_split, dataframe_records, inputs, instances is needed")
    try:
        rows = numpy.asarray(rows, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadRequest("the rows must be numbers, all of one length") from error
    result = model.predict(rows.reshape(1, -1) if rows.ndim == 1 else rows, columns)
    return 200, {"predictions": result.tolist()}, {}


# --- life --------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)  # no reverse DNS
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]


def drain(server, state):
    """Answers what is under way, tells clients to come again elsewhere, then stops."""
    state.is_draining = True
    time.sleep(min(1.0, DRAIN_SECONDS))  # connections that were on their way when traffic moved elsewhere
    server.shutdown()
    end = time.monotonic() + DRAIN_SECONDS
    with state.changed:
        while state.connections and time.monotonic() < end:
            state.changed.wait(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", 8080)))
    parser.add_argument("--port-file", help="write the port there once it is known")
    options = parser.parse_args()

    state = Handler.state = State()
    server = Server((options.host, options.port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())

    state.model = Model(read_json(APP / "model.json"), state.metrics)
    thread.start()
    if options.port_file:
        temporary = options.port_file + ".tmp"
        Path(temporary).write_text(str(server.server_port))
        os.replace(temporary, options.port_file)
    state.model.warm_up()
    state.is_ready = True
    print(f"listening on http://{options.host}:{server.server_port}", flush=True)
    stop.wait()
    drain(server, state)
    print("drained", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
